import { Controller, Get, Header, Req } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import type { JWK } from 'jose';
import { Public } from '../../platform/http/route-config.decorator.js';
import { SCOPES } from '../scopes.js';
import { SigningKeys } from '../signing-keys.service.js';

@ApiTags('auth')
@Controller('.well-known')
export class WellKnownController {
  constructor(private readonly keys: SigningKeys) {}

  @Get('jwks.json')
  @Public()
  @Header('Cache-Control', 'public, max-age=300')
  @ApiOperation({ summary: 'The public keys of access tokens (RFC 7517)' })
  @ApiOkResponse({
    schema: {
      type: 'object',
      required: ['keys'],
      properties: { keys: { type: 'array', items: { type: 'object' } } },
    },
  })
  jwks(): Promise<{ keys: JWK[] }> {
    return this.keys.jwks();
  }

  @Get('oauth-authorization-server')
  @Public()
  @ApiOperation({ summary: 'Where tokens are to be had (RFC 8414)' })
  @ApiOkResponse({ schema: { type: 'object', required: ['issuer', 'token_endpoint', 'jwks_uri'] } })
  metadata(@Req() request: FastifyRequest): Record<string, unknown> {
    const origin = `${request.protocol}://${request.host}`;
    return {
      issuer: origin,
      token_endpoint: `${origin}/api/v1/auth/token`,
      jwks_uri: `${origin}/.well-known/jwks.json`,
      grant_types_supported: ['client_credentials'],
      response_types_supported: [],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      scopes_supported: SCOPES,
    };
  }
}
