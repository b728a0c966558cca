import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Messages } from '../../events/index.js';
import { DomainError } from '../../shared/domain-error.js';
import { HeartbeatDto } from '../heartbeat.dto.js';
import { HeartbeatsService } from '../heartbeats.service.js';

/** What agents may say over their sockets. */
@Injectable()
export class AgentMessages implements OnModuleInit {
  constructor(
    private readonly messages: Messages,
    private readonly heartbeats: HeartbeatsService,
  ) {}

  onModuleInit(): void {
    this.messages.register({
      name: 'heartbeat',
      about:
        'Proves that the agent is alive and prolongs its lease; the answer is that of POST /agents/{id}/heartbeat',
      scopes: ['tasks:execute'],
      dto: HeartbeatDto,
      handle: ({ caller }, body) => {
        if (caller.agentId === null) throw new DomainError('FORBIDDEN', 'Only agents have a heartbeat.');
        return this.heartbeats.beat({ id: caller.agentId, projectId: caller.projectId }, body);
      },
    });
  }
}
