import { Module } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { AccessGuard } from './access.guard.js';
import { ClientsRepository } from './clients.repository.js';
import { ConnectedCallers } from './connected-callers.js';
import { FirstAdmin } from './first-admin.service.js';
import { ClientsController } from './http/clients.controller.js';
import { TokenController } from './http/token.controller.js';
import { WellKnownController } from './http/well-known.controller.js';
import { JwtStrategy } from './jwt.strategy.js';
import { SigningKeys } from './signing-keys.service.js';
import { TokenEndpoint } from './token-endpoint.service.js';
import { Tokens } from './tokens.service.js';

@Module({
  controllers: [TokenController, WellKnownController, ClientsController],
  providers: [
    ClientsRepository,
    ConnectedCallers,
    SigningKeys,
    JwtStrategy,
    Tokens,
    TokenEndpoint,
    FirstAdmin,
    { provide: APP_GUARD, useClass: AccessGuard },
  ],
  exports: [Tokens, FirstAdmin, ConnectedCallers],
})
export class AuthModule {}
