import { Global, Module } from '@nestjs/common';
import { Addressees, WebhookSecrets } from '../events/index.js';
import { RegisteredAddressees } from './addressees.js';
import { AgentAccess } from './agent-access.js';
import { AgentDirectory } from './agent-directory.js';
import { AgentListing } from './agent-listing.service.js';
import { AgentPresence } from './agent-presence.js';
import { AgentWebhookSecrets } from './agent-webhook-secrets.js';
import { AgentsService } from './agents.service.js';
import { HeartbeatCommands } from './heartbeat-commands.js';
import { HeartbeatsService } from './heartbeats.service.js';
import { HeldCounts } from './held-counts.js';
import { AgentsController } from './http/agents.controller.js';
import { HealthSweep } from './jobs/health.sweep.js';
import { LivenessSweep } from './jobs/liveness.sweep.js';
import { AgentMessages } from './realtime/agent-messages.js';
import { RegistrationsService } from './registrations.service.js';

/** Global: everything to the right asks for agents. `HeldWork` comes from tasks. */
@Global()
@Module({
  controllers: [AgentsController],
  providers: [
    AgentAccess,
    AgentDirectory,
    AgentListing,
    AgentMessages,
    AgentPresence,
    AgentsService,
    HealthSweep,
    HeartbeatCommands,
    HeartbeatsService,
    HeldCounts,
    LivenessSweep,
    RegistrationsService,
    { provide: Addressees, useClass: RegisteredAddressees },
    { provide: WebhookSecrets, useClass: AgentWebhookSecrets },
  ],
  exports: [Addressees, AgentAccess, AgentDirectory, AgentPresence, WebhookSecrets],
})
export class AgentsModule {}
