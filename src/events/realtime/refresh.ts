import { Injectable, type OnModuleInit } from '@nestjs/common';
import { ConnectedCallers, Tokens } from '../../auth/index.js';
import { TextField } from '../../platform/http/fields.js';
import { DomainError } from '../../shared/domain-error.js';
import { Messages } from './messages.js';

class RefreshDto {
  @TextField({ about: 'A new access token of the same client.', max: 8_192 })
  token: string;
}

/** A socket goes on with a new token: nothing that it has subscribed to is interrupted. */
@Injectable()
export class Refresh implements OnModuleInit {
  constructor(
    private readonly messages: Messages,
    private readonly tokens: Tokens,
    private readonly callers: ConnectedCallers,
  ) {}

  onModuleInit(): void {
    this.messages.register({
      name: 'refresh',
      about: 'Goes on with a new token of the same client; answers when that one ends',
      scopes: [],
      dto: RefreshDto,
      handle: async (session, { token }) => {
        const caller = await this.tokens.authenticate(token);
        const { clientId, projectId, agentId } = session.caller;
        const isSame =
          caller.clientId === clientId && caller.projectId === projectId && caller.agentId === agentId;
        if (!isSame)
          throw new DomainError('FORBIDDEN', 'This token is another client’s; open a socket for it.');
        await this.callers.assertPresent(caller);
        session.renew(caller);
        return { expires_at: new Date(caller.expiresAt).toISOString() };
      },
    });
  }
}
