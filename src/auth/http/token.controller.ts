import { Body, Controller, Header, Headers, HttpCode, Post } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiOkResponse, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { ConfigureRoute, Public } from '../../platform/http/route-config.decorator.js';
import { Rules } from '../../platform/http/rules.decorator.js';
import { type TokenAnswer, TokenEndpoint } from '../token-endpoint.service.js';
import { readTokenRequest } from '../token-request.js';
import { oauthRefusal } from './oauth-refusal.js';
import { TokenErrorResponse, TokenRequestBody, TokenResponse } from './token.dto.js';

@ApiTags('auth')
@Controller('api/v1/auth')
export class TokenController {
  constructor(private readonly endpoint: TokenEndpoint) {}

  @Post('token')
  @Public()
  @ConfigureRoute({ takesForms: true, showRefusal: oauthRefusal })
  @HttpCode(200)
  @Rules(
    'A form names each field once. The credentials are those of a client, given once: by HTTP Basic or in the body.',
  )
  @Header('Cache-Control', 'no-store')
  @ApiOperation({ summary: 'Exchange client credentials for an access token (OAuth 2 client_credentials)' })
  @ApiConsumes('application/json', 'application/x-www-form-urlencoded')
  @ApiBody({ type: TokenRequestBody, required: false })
  @ApiOkResponse({ type: TokenResponse })
  @ApiResponse({
    status: 400,
    type: TokenErrorResponse,
    description: 'invalid_request, unsupported_grant_type, invalid_scope',
  })
  @ApiResponse({ status: 401, type: TokenErrorResponse, description: 'invalid_client' })
  @ApiResponse({ status: 413, type: TokenErrorResponse, description: 'invalid_request' })
  @ApiResponse({ status: 415, type: TokenErrorResponse, description: 'invalid_request' })
  @ApiResponse({ status: 429, type: TokenErrorResponse, description: 'temporarily_unavailable' })
  @ApiResponse({ status: 503, type: TokenErrorResponse, description: 'temporarily_unavailable' })
  token(@Body() body: unknown, @Headers('authorization') authorization?: string): Promise<TokenAnswer> {
    return this.endpoint.exchange(readTokenRequest(body, authorization));
  }
}
