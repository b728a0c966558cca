import { Injectable, Logger, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import { AppConfig } from '../../../config/app-config.js';
import { Database } from '../../platform/database/database.js';
import { Transactor } from '../../platform/database/transactor.js';
import { Egress, EgressError } from '../../platform/egress/egress.port.js';
import { JobQueue } from '../../platform/job-queue/job-queue.port.js';
import { Sweeps } from '../../platform/sweeps/sweeps.js';
import { happened, SYSTEM } from '../agent-events.js';
import { type Agent, standingOf } from '../domain/agent.js';
import { type Verdict, verdictOf } from '../domain/health.js';
import { LOCK_AGENT, updateAgent } from '../persistence/agent-rows.js';

const QUEUE = 'agent-probes';
const SWEEP_MS = 5_000;
/** Probes that one process has under way: a slow one takes as long as egress lets it. */
const AT_ONCE = 32;
/** Those that are silent anyway may be gone for good, and each costs a probe its whole patience. */
const OFFLINE_FACTOR = 10;

interface Probe {
  readonly id: string;
  readonly project_id: string;
  readonly url: string;
  readonly health: Verdict['health'];
  readonly health_reason: string | null;
  /** When it is asked the next time. */
  readonly probe_at: string;
}

/** The next probe is written down before this one is made: over all processes an agent is asked once per interval. */
const TAKE_DUE = {
  name: 'agents-take-due-probes',
  text: `WITH due AS (
      SELECT a.id, a.project_id FROM agents a WHERE a.probe_at <= (SELECT clock_timestamp())
      ORDER BY a.probe_at LIMIT $1 FOR UPDATE OF a SKIP LOCKED)
    UPDATE agents a SET probe_at = clock_timestamp() + make_interval(secs => $2::float8 * (0.9 + 0.2 * random())
      * CASE a.liveness WHEN 'offline' THEN ${OFFLINE_FACTOR} ELSE 1 END)
    FROM due WHERE a.id = due.id AND a.project_id = due.project_id
    RETURNING a.id, a.project_id, a.health_check_url AS url, a.health, a.health_reason, a.probe_at`,
};

/**
 * Asks agents how they are, about once per heartbeat interval. What comes of it informs and decides nothing. A job wakes
 * it at the due second; without jobs the sweep finds the same some seconds later. The truth is `agents.probe_at`.
 */
@Injectable()
export class HealthSweep implements OnModuleInit, OnModuleDestroy {
  private readonly logger = new Logger(HealthSweep.name);
  private readonly running = new Set<Promise<void>>();
  private readonly stop = new AbortController();
  private looking: Promise<void> | undefined;
  /** The last look filled every place, so there may be more: whoever ends makes the next look. */
  private more = false;

  constructor(
    private readonly config: AppConfig,
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly egress: Egress,
    private readonly jobs: JobQueue,
    private readonly sweeps: Sweeps,
  ) {}

  onModuleInit(): void {
    this.jobs.process(QUEUE, () => this.look());
    this.sweeps.every('health', SWEEP_MS, async () => {
      await this.look();
      return false;
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.stop.abort();
    await Promise.all(this.running);
  }

  /** Begins what is due, as far as there is room, and does not wait for it. */
  private look(): Promise<void> {
    this.looking ??= this.begin().finally(() => (this.looking = undefined));
    return this.looking;
  }

  private async begin(): Promise<void> {
    const room = AT_ONCE - this.running.size;
    if (room === 0 || this.stop.signal.aborted) return;
    const due = await this.database.query<Probe>(TAKE_DUE, [room, this.config.env.HEARTBEAT_INTERVAL]);
    this.more = due.length === room;
    for (const probe of due) this.start(probe);
    this.arrange(due);
  }

  private start(probe: Probe): void {
    const run = this.probe(probe)
      .catch((error: unknown) =>
        this.logger.debug(`the health of ${probe.id} is not known: ${String(error)}`),
      )
      .finally(() => {
        this.running.delete(run);
        // It fails while Postgres is away, and then the sweep looks again.
        if (this.more) this.look().catch(() => {});
      });
    this.running.add(run);
  }

  /** One job per second, however many agents are due in it. */
  private arrange(due: readonly Probe[]): void {
    const seconds = new Set(due.map((probe) => Math.ceil(Date.parse(probe.probe_at) / 1000)));
    for (const second of seconds) {
      void this.jobs.add(QUEUE, { id: String(second), data: { second }, dueAt: new Date(second * 1000) });
    }
  }

  private async probe(probe: Probe): Promise<void> {
    const verdict = await this.ask(probe.url);
    const known = verdict?.health === probe.health && verdict.reason === probe.health_reason;
    if (verdict !== undefined && !known) await this.note(probe, verdict);
  }

  /** @returns undefined when this process ends before the answer */
  private async ask(url: string): Promise<Verdict | undefined> {
    try {
      const { status } = await this.egress.call({ url, method: 'GET', signal: this.stop.signal });
      return verdictOf(status);
    } catch (error) {
      if (!(error instanceof EgressError)) throw error;
      if (error.reason === 'cancelled') return undefined;
      // What we may not ask tells nothing about the agent.
      return { health: error.reason === 'refused' ? 'unknown' : 'unhealthy', reason: error.message };
    }
  }

  /** Writes what is new, with an event when the health is another; a verdict on a URL that was replaced is dropped. */
  private note({ id, project_id: projectId, url }: Probe, { health, reason }: Verdict): Promise<void> {
    return this.transactor.run(async (tx) => {
      const [before] = await tx.query<Agent>(LOCK_AGENT, [id, projectId]);
      if (before === undefined || before.health_check_url !== url) return;
      const after: Agent = { ...before, health, health_reason: reason };
      if (health === before.health) return tx.write(updateAgent(after));
      const status = standingOf(before);
      const details = { changed: ['health'], health, health_reason: reason };
      const fact = { type: 'agent.updated', status, previousStatus: status, details } as const;
      const { agent, event } = happened({ ...after, updated_at: tx.now }, fact, tx.now, SYSTEM);
      tx.record(event);
      tx.write(updateAgent(agent));
    });
  }
}
