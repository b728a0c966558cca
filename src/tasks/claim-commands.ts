import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { lockAgents, type AgentRow } from '../agents/index.js';
import type { Batch, BatchHandler, LockMode, Outcome, Pick } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import { DomainError, notFound } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { LeaseTokens } from './lease-tokens.js';
import { claimTasks, type ClaimedRow, type Want } from './persistence/claim-rows.js';
import { Routes, type Route } from './routes.js';
import { eventsOf } from './task-events.js';
import { taskView, type ClaimedTask } from './task-view.js';

/** An agent asks for work: the one way to get it, for pull and push alike. */
export interface ClaimCommand {
  readonly agent: { readonly id: string; readonly projectId: string };
  /** Tasks at most. */
  readonly max: number;
  /** The session that claims, if it says so; an older one than the agent's is refused. */
  readonly sessionEpoch?: number | undefined;
  /** A socket's standing limit on what the agent holds; its own capacity holds in any case. */
  readonly limit?: number;
  /** Pushed work goes only to agents that give signs of life; a pull is one. */
  readonly pushed: boolean;
}

interface Group {
  readonly routes: readonly Route[];
  readonly wants: Want[];
  /** For each want, the commands' position. */
  readonly positions: number[];
}

/** The batch's way with claims: agents are locked with everything else, tasks are picked after the batch's own writes. */
@Injectable()
export class ClaimCommands implements BatchHandler<ClaimCommand, ClaimedTask[]> {
  readonly name = 'claims';
  readonly order = 40;

  constructor(
    private readonly config: AppConfig,
    private readonly routes: Routes,
    private readonly leaseTokens: LeaseTokens,
  ) {}

  load(commands: readonly ClaimCommand[], mode: LockMode): Statement[] {
    const agents = [
      ...new Map(commands.map(({ agent }) => [rowKey(agent.projectId, agent.id), agent])).values(),
    ];
    return [
      lockAgents(
        agents.map((agent) => agent.id),
        agents.map((agent) => agent.projectId),
        mode,
      ),
    ];
  }

  decide(
    commands: readonly ClaimCommand[],
    loaded: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<ClaimedTask[]>[] | Pick<ClaimedTask[]> {
    // The row's shape is lockAgents' column list.
    const rows = (loaded[0] ?? []) as unknown as readonly AgentRow[];
    const agents = new Map(rows.map((agent) => [rowKey(agent.project_id, agent.id), agent]));
    const outcomes: Outcome<ClaimedTask[]>[] = commands.map(() => ({ done: [] }));
    const groups = new Map<string, Group>();
    for (const [position, command] of commands.entries()) {
      const agent = agents.get(rowKey(command.agent.projectId, command.agent.id));
      if (agent === undefined) {
        outcomes[position] =
          batch.mode === 'skip' ? { busy: true } : { refused: notFound('agent', command.agent.id) };
      } else if (command.sessionEpoch !== undefined && command.sessionEpoch < agent.session_epoch) {
        outcomes[position] = { refused: staleSession(agent) };
      } else if (!agent.draining && !(command.pushed && agent.liveness === 'offline')) {
        this.join(groups, agent, command, position);
      }
    }
    const asked = [...groups.values()];
    if (asked.length === 0) return outcomes;
    return {
      statements: asked.map(({ wants, routes }) =>
        claimTasks(wants, routes, batch.now, this.config.leaseSeconds),
      ),
      picked: (rowsOfGroups) => {
        for (const [index, group] of asked.entries()) {
          // The row's shape is the claim statement's RETURNING list.
          this.deal(group, (rowsOfGroups[index] ?? []) as unknown as readonly ClaimedRow[], batch, outcomes);
        }
        return outcomes;
      },
    };
  }

  private join(groups: Map<string, Group>, agent: AgentRow, command: ClaimCommand, position: number): void {
    const routes = this.routes.of(agent);
    if (routes.length === 0) return;
    const key = routes.map((route) => route.id).join(',');
    const group = groups.get(key) ?? { routes, wants: [], positions: [] };
    groups.set(key, group);
    const want: Want = {
      agentId: agent.id,
      agentProject: agent.project_id,
      sessionEpoch: agent.session_epoch,
      want: command.max,
      capacity: Math.min(agent.capacity, command.limit ?? agent.capacity),
    };
    const same = group.wants.findIndex(
      (one) => one.agentId === want.agentId && one.agentProject === want.agentProject,
    );
    // Two claims of one agent in one batch: the first gets it all, or its capacity would be counted twice.
    if (same >= 0) return;
    group.wants.push(want);
    group.positions.push(position);
  }

  private deal(
    group: Group,
    rows: readonly ClaimedRow[],
    batch: Batch,
    outcomes: Outcome<ClaimedTask[]>[],
  ): void {
    const inOrder = rows.toSorted((a, b) => a.rank - b.rank || a.vtime - b.vtime || (a.id < b.id ? -1 : 1));
    for (const row of inOrder) {
      const { want_index: wantIndex, ...task } = row;
      // The statement has counted this event already.
      const { events } = eventsOf({ ...task, seq: task.seq - 1 }, [{ type: 'task.assigned' }], null);
      for (const event of events) batch.record(event);
      const position = group.positions[wantIndex - 1];
      const outcome = position === undefined ? undefined : outcomes[position];
      if (outcome === undefined || !('done' in outcome)) continue;
      outcome.done.push({
        ...taskView(task),
        lease_token: this.leaseTokens.of(task.project_id, task.id, task.attempt),
      });
    }
  }
}

function staleSession({ id, session_epoch: epoch }: AgentRow): DomainError {
  return new DomainError('STALE_SESSION', `Agent '${id}' has begun session ${epoch}; this one is over.`, {
    session_epoch: epoch,
  });
}
