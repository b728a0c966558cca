import { Injectable, Logger, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { DomainError } from '../../shared/domain-error.js';
import { AppConfig } from '../../../config/app-config.js';

/** A look at Postgres that finds what is due and does it. Returns true when there may be more to do at once. */
export type Sweep = () => Promise<boolean>;

interface Entry {
  readonly name: string;
  readonly everyMs: number;
  readonly run: Sweep;
  readonly where: 'workers' | 'everywhere';
}

/**
 * The reconciler's heart: each sweep runs again and again, jittered, never beside itself, in every process that does
 * work. A sweep reads the state from Postgres alone, so whatever a queue or a wake-up lost is found here. Sweeps end
 * first when the application closes.
 */
@Injectable()
export class Sweeps implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger(Sweeps.name);
  private readonly sweeps: Entry[] = [];
  private readonly timers = new Map<string, NodeJS.Timeout>();
  private readonly running = new Set<Promise<void>>();
  private stopped = false;

  constructor(private readonly config: AppConfig) {}

  /**
   * @param everyMs pause between two looks; each is jittered by a fifth, so that processes do not look in step
   * @param where `everywhere`: in processes that only serve the API too
   */
  every(name: string, everyMs: number, run: Sweep, where: Entry['where'] = 'workers'): void {
    this.sweeps.push({ name, everyMs, run, where });
  }

  onApplicationBootstrap(): void {
    for (const sweep of this.sweeps) {
      if (this.config.runsWork || sweep.where === 'everywhere') this.schedule(sweep, sweep.everyMs);
    }
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    await Promise.all(this.running);
  }

  private schedule(sweep: Entry, delayMs: number): void {
    if (this.stopped) return;
    const timer = setTimeout(() => {
      const look = this.look(sweep).then((more) => this.schedule(sweep, more ? 0 : jittered(sweep.everyMs)));
      this.running.add(look);
      void look.finally(() => this.running.delete(look));
    }, delayMs);
    this.timers.set(sweep.name, timer);
  }

  private async look(sweep: Entry): Promise<boolean> {
    try {
      return await sweep.run();
    } catch (error) {
      // While Postgres is away there is nothing to find, and the readiness check says so already.
      const away = error instanceof DomainError && error.code === 'SERVICE_UNAVAILABLE';
      if (!away)
        this.logger.error(`sweep ${sweep.name} failed`, error instanceof Error ? error.stack : String(error));
      return false;
    }
  }
}

const jittered = (ms: number): number => ms * (0.8 + Math.random() * 0.4);
