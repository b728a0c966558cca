import { Injectable } from '@nestjs/common';
import { AppConfig } from '../../config/app-config.js';
import { assertSession, lockAgents, type AgentRow } from '../agents/index.js';
import type { Batch, BatchHandler, LockMode, Outcome, Pick } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import { notFound } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { ClaimFloors } from './claim-floors.js';
import { LeaseTokens } from './lease-tokens.js';
import { claimTasks, type ClaimedRow, type Want } from './persistence/claim-rows.js';
import { Routes, type Route } from './routes.js';
import type { Task } from './domain/task.js';
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
  /** An agent of all projects looks into these only; absent: into all. */
  readonly projects?: ReadonlySet<string> | undefined;
  /** Pushed work goes only to agents that give signs of life; a pull is one. */
  readonly pushed: boolean;
}

/** What a claim came to. */
export interface Claimed {
  /** In claim order. */
  readonly items: ClaimedTask[];
  /** The agent that claimed, as it is now. */
  readonly agent: AgentRow;
  /** It holds as much as it may: until something of that ends, there is nothing for it. */
  full: boolean;
  /** It had room for more, and there was no more on its routes. */
  exhausted: boolean;
}

/** Claims of agents whose routes are the same. */
interface Group {
  readonly routes: readonly Route[];
  readonly asked: Asked[];
}

/** What one agent wants in this batch, and the positions of the commands that want it. */
interface Asked {
  readonly want: Want;
  readonly by: { readonly position: number; readonly max: number }[];
}

/** The batch's way with claims: agents are locked with everything else, tasks are picked after the batch's own writes. */
@Injectable()
export class ClaimCommands implements BatchHandler<ClaimCommand, Claimed> {
  readonly name = 'claims';
  readonly order = 40;
  /** However often a request looks, it claims once. */
  readonly effects = { nameOf: () => 'claim', isEffect: ({ items }: Claimed) => items.length > 0 };

  constructor(
    private readonly config: AppConfig,
    private readonly routes: Routes,
    private readonly leaseTokens: LeaseTokens,
    private readonly floors: ClaimFloors,
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
  ): Outcome<Claimed>[] | Pick<Claimed> {
    // The row's shape is lockAgents' column list.
    const rows = (loaded[0] ?? []) as unknown as readonly AgentRow[];
    const agents = new Map(rows.map((agent) => [rowKey(agent.project_id, agent.id), agent]));
    const groups = new Map<string, Group>();
    const outcomes = commands.map((command, position): Outcome<Claimed> => {
      const agent = agents.get(rowKey(command.agent.projectId, command.agent.id));
      if (agent === undefined)
        return batch.mode === 'skip' ? { busy: true } : { refused: notFound('agent', command.agent.id) };
      try {
        assertSession(agent, command.sessionEpoch);
      } catch (refused) {
        return { refused };
      }
      if (!agent.draining && !(command.pushed && agent.liveness === 'offline'))
        this.join(groups, agent, command, position);
      return { done: { items: [], agent, full: false, exhausted: false } };
    });
    const all = [...groups.values()];
    if (all.length === 0) return outcomes;
    return {
      statements: all.map(({ asked, routes }) =>
        claimTasks(
          asked.map(({ want }) => want),
          routes,
          { now: batch.now, leaseSeconds: this.config.leaseSeconds, share: 1 / all.length },
          this.floors.of(routes),
        ),
      ),
      picked: (rowsOfGroups) => {
        for (const [index, group] of all.entries()) {
          // The row's shape is the claim statement's column list.
          this.deal(group, (rowsOfGroups[index] ?? []) as unknown as readonly ClaimedRow[], batch, outcomes);
        }
        return outcomes;
      },
    };
  }

  private join(groups: Map<string, Group>, agent: AgentRow, command: ClaimCommand, position: number): void {
    const { projects } = command;
    const all = this.routes.of(agent);
    const routes = projects === undefined ? all : all.filter((route) => projects.has(route.project_id));
    if (routes.length === 0) return;
    const key = routes.map((route) => route.id).join(',');
    const group = groups.get(key) ?? { routes, asked: [] };
    groups.set(key, group);
    const capacity = Math.min(agent.capacity, command.limit ?? agent.capacity);
    const by = { position, max: command.max };
    const same = group.asked.find(
      ({ want }) => want.agentId === agent.id && want.agentProject === agent.project_id,
    );
    if (same === undefined) {
      const want = {
        agentId: agent.id,
        agentProject: agent.project_id,
        sessionEpoch: agent.session_epoch,
        want: command.max,
        capacity,
      };
      group.asked.push({ want, by: [by] });
    } else if (same.want.capacity === capacity) {
      // Several claims of one agent are one want, or its free capacity would be counted for each. Where their limits
      // differ, the first goes first: the others are asked again when there is news.
      same.want.want += command.max;
      same.by.push(by);
    }
  }

  private deal(
    { asked }: Group,
    rows: readonly ClaimedRow[],
    batch: Batch,
    outcomes: readonly Outcome<Claimed>[],
  ): void {
    const claimed = asked.map((): ClaimedTask[] => []);
    const tasks = rows.filter(isTask).toSorted(inClaimOrder);
    this.floors.raise(tasks);
    for (const row of tasks) {
      // The statement has counted this event already.
      const { events } = eventsOf({ ...row, seq: row.seq - 1 }, [{ type: 'task.assigned' }], null);
      for (const event of events) batch.record(event);
      claimed[row.want_index - 1]?.push({
        ...taskView(row),
        lease_token: this.leaseTokens.of(row.project_id, row.id, row.attempt),
      });
    }
    const isCut = rows[0]?.is_cut === true;
    const rooms = new Map(rows.map((row) => [row.want_index - 1, row.room]));
    for (const [index, { want, by }] of asked.entries()) {
      const items = claimed[index] ?? [];
      const room = rooms.get(index) ?? 0;
      const full = items.length >= room;
      const exhausted = !isCut && items.length < Math.min(want.want, room);
      for (const { position, max } of by) {
        const outcome = outcomes[position];
        if (outcome === undefined || !('done' in outcome)) continue;
        outcome.done.items.push(...items.splice(0, max));
        outcome.done.full = full;
        outcome.done.exhausted = exhausted;
      }
    }
  }
}

type ClaimedTaskRow = ClaimedRow & Task;

const isTask = (row: ClaimedRow): row is ClaimedTaskRow => row.id !== null;

const inClaimOrder = (a: Task, b: Task): number =>
  a.rank - b.rank || a.vtime - b.vtime || (a.id < b.id ? -1 : 1);
