import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { allows, type Caller } from '../auth/index.js';
import { openMailbox } from '../events/index.js';
import { type Transaction, Transactor } from '../platform/database/transactor.js';
import { forbidden, mayActFor } from './agent-access.js';
import {
  type AgentCredentials,
  issueCredentials,
  newWebhookSecret,
  renewCredentials,
} from './agent-credentials.js';
import type { AgentKey } from './agent-directory.js';
import { happened, introduction, type Origin, statusChanged } from './agent-events.js';
import { moved } from './domain/agent.machine.js';
import { type Agent, type AgentProfile, standingOf } from './domain/agent.js';
import { firstProbeAt, watched } from './domain/health.js';
import { assertProfile, capacityOf } from './domain/profile.js';
import { endSession } from './end-session.js';
import { HeldWork } from './held-work.port.js';
import { insertAgent, LAST_SEQ, updateAgent } from './persistence/agent-rows.js';

interface Registration {
  readonly key: AgentKey;
  readonly type: string;
  readonly profile: AgentProfile;
  /** Tasks of its older session that it still works on; the rest is offered again. */
  readonly heldTasks: readonly string[];
  readonly rotateSecret: boolean;
}

interface Registered {
  readonly agent: Agent;
  /** false: it was there already, and began a new session. */
  readonly created: boolean;
  /** Only for a new agent, or when a rotation was asked for. */
  readonly credentials: AgentCredentials | undefined;
}

/** Agents join, and join again: each registration is a new session. */
@Injectable()
export class RegistrationsService {
  constructor(
    private readonly transactor: Transactor,
    private readonly held: HeldWork,
    private readonly config: AppConfig,
  ) {}

  /**
   * Registers an agent, or begins a new session of one that is registered: its row takes what the body says, identical
   * or not. An agent may do the latter by itself; to bring a new one takes `agents:write`.
   * @throws DomainError FORBIDDEN for somebody else's agent · CONFLICT when the client id of a new one is taken
   */
  async register(registration: Registration, caller: Caller, origin: Origin): Promise<Registered> {
    const { key, profile, heldTasks } = registration;
    assertProfile(profile);
    if (!mayActFor(caller, key)) throw forbidden(key.id);
    return this.transactor.run(async (tx) => {
      const before = await endSession(tx, this.held, key, heldTasks);
      if (before !== undefined) return this.rejoin(tx, before, registration, origin);
      // The token of an agent that was deleted lives on for a while; it brings nobody back.
      if (!allows(caller.scopes, ['agents:write'])) throw forbidden(key.id);
      return this.join(tx, registration, origin);
    });
  }

  private async join(tx: Transaction, registration: Registration, origin: Origin): Promise<Registered> {
    const { id, projectId } = registration.key;
    const [last] = await tx.query<{ seq: number }>(LAST_SEQ, [id, projectId]);
    const agent: Agent = {
      id,
      project_id: projectId,
      ...this.session(registration, undefined, tx.now),
      // Higher than any of an agent of this id that was removed, each of whose sessions began with an event: a process of
      // that life is of an older session.
      session_epoch: (last?.seq ?? 0) + 1,
      liveness: 'active',
      draining: false,
      performance_metrics: null,
      seq: last?.seq ?? 0,
      created_at: tx.now,
    };
    const fact = { type: 'agent.registered', status: standingOf(agent), previousStatus: null } as const;
    const joined = happened(agent, { ...fact, details: introduction(agent) }, tx.now, origin);
    const webhookSecret = newWebhookSecret();
    tx.write(insertAgent(joined.agent, webhookSecret));
    tx.write(openMailbox(projectId, id));
    tx.record(joined.event);
    const credentials = await issueCredentials(tx, agent, webhookSecret);
    return { agent: joined.agent, created: true, credentials };
  }

  private async rejoin(
    tx: Transaction,
    before: Agent,
    registration: Registration,
    origin: Origin,
  ): Promise<Registered> {
    const agent: Agent = {
      ...moved(before, 'register'),
      ...this.session(registration, before, tx.now),
    };
    const fact = {
      type: 'agent.updated',
      status: standingOf(agent),
      previousStatus: standingOf(before),
    } as const;
    const rejoined = happened(agent, { ...fact, details: introduction(agent) }, tx.now, origin);
    const changed = statusChanged(before, rejoined.agent, tx.now, origin);
    for (const event of [rejoined.event, ...changed.events]) tx.record(event);
    tx.write(updateAgent(changed.agent));
    const credentials = registration.rotateSecret ? await renewCredentials(tx, agent) : undefined;
    return { agent: changed.agent, created: false, credentials };
  }

  private session({ type, profile }: Registration, before: Agent | undefined, now: string) {
    const { HEARTBEAT_INTERVAL: interval } = this.config.env;
    const leaseUntil = new Date(Date.parse(now) + this.config.leaseSeconds * 1000).toISOString();
    return {
      type,
      ...profile,
      capacity: capacityOf(profile.configuration),
      ...watched(before, profile.health_check_url, firstProbeAt(now, interval, Math.random())),
      session_epoch: (before?.session_epoch ?? 0) + 1,
      session_began_at: now,
      last_seen: now,
      lease_until: leaseUntil,
      updated_at: now,
    };
  }
}
