import { Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { Sweeps } from '../platform/sweeps/sweeps.js';
import { WakeUp } from '../platform/wake-up/wake-up.port.js';
import { BEGIN_FAIRNESS, FAIR_ROUTES } from './persistence/fairness-rows.js';

const CHANNEL = 'fair-routes';
const SWEEP_MS = 2_000;

/**
 * Which routes have tasks with fairness keys. On all others a task's turn is its age: it costs nothing, and their rows
 * are in no fairness index.
 */
@Injectable()
export class FairRoutes implements OnModuleInit {
  private readonly logger = new Logger(FairRoutes.name);
  private readonly fair = new Set<number>();

  constructor(
    private readonly database: Database,
    private readonly wakeUp: WakeUp,
    private readonly sweeps: Sweeps,
  ) {}

  async onModuleInit(): Promise<void> {
    this.wakeUp.on(CHANNEL, () => {
      this.refresh().catch((error: unknown) =>
        this.logger.debug(`fair routes are read later: ${String(error)}`),
      );
    });
    this.sweeps.every(
      'fair-routes',
      SWEEP_MS,
      async () => {
        await this.refresh();
        return false;
      },
      'everywhere',
    );
    await this.refresh();
  }

  /** The key a task goes by on its route: the one it came with, the empty one among keyed tasks, or none. */
  async keyFor(route: number, given: string | undefined): Promise<string | undefined> {
    if (given !== undefined && !this.fair.has(route)) {
      await this.database.query(BEGIN_FAIRNESS, [route]);
      this.fair.add(route);
      this.wakeUp.notify(CHANNEL, String(route));
    }
    return given ?? this.keyless(route);
  }

  /** The key of a task that came with none. */
  keyless(route: number): '' | undefined {
    return this.fair.has(route) ? '' : undefined;
  }

  private async refresh(): Promise<void> {
    const news = await this.database.query<{ id: number }>(FAIR_ROUTES, [[...this.fair]]);
    for (const { id } of news) this.fair.add(id);
  }
}
