import type { Connection } from './database.js';
import { EmbeddedPostgresError } from './errors.js';
import { findPlace } from './place.js';
import { isPostmasterOf } from './processes.js';
import { SharedServer, type Use } from './shared-server.js';

const LOOK_MS = 1_000;
const TRY_AGAIN_MS = 5_000;
const WAIT_MS = 120_000;

export interface EmbeddedPostgresOptions {
  /** Parley's data folder; the cluster comes to lie in `<dataDir>/pg`. */
  readonly dataDir: string;
  /** Gets each line that PostgreSQL or its launcher says. */
  readonly log: (line: string) => void;
  /** PostgreSQL settings over our own, such as `fsync` = `off` in tests. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Longest time for another instance's start, and for this one's recovery from a crash, in ms. Default 120,000. */
  readonly waitMs?: number;
}

/** A PostgreSQL server that this instance uses, alone or with others on the same folder. */
export interface EmbeddedPostgres {
  /** Database and role `parley`, over a Unix socket in a private folder. */
  readonly connection: Connection;
  /** The server's process. It changes when the server had to be started again. */
  readonly pid: number;
  /** Another instance had started it. */
  readonly adopted: boolean;
  /** Where the cluster really is: /var/lib/parley-<hash>/pg when root's data folder is closed to PostgreSQL's account. */
  readonly dataDir: string;
  /** Lets go of the server. The last instance that does waits until it has stopped. */
  stop(): Promise<void>;
}

/**
 * Uses the PostgreSQL server of a data folder; the first instance makes the cluster and starts the server.
 *
 * The server lives as long as any instance that uses it, whoever started it: a watchdog stops it when the last one has
 * stopped, exited or was killed. When the server itself dies, the first instance to notice starts it again, and the
 * connection stays as it is. Only the instance that started the server gets PostgreSQL's own log lines.
 * @throws EmbeddedPostgresError one line that says why it cannot run here, and the remedy
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, log, settings = {}, waitMs = WAIT_MS } = options;
  try {
    const place = findPlace(dataDir);
    const server = new SharedServer(place, log, settings, waitMs);
    return new KeptServer(server, log, await server.use());
  } catch (error) {
    throw EmbeddedPostgresError.from(error);
  }
}

/** Sees to it that the server is there until this instance lets go of it. */
class KeptServer implements EmbeddedPostgres {
  private readonly timer = setInterval(() => this.look(), LOOK_MS).unref();
  private nextLookAt = 0;
  private restart: Promise<void> | undefined;
  private stopped: Promise<void> | undefined;

  constructor(
    private readonly server: SharedServer,
    private readonly log: (line: string) => void,
    private use: Use,
  ) {}

  get connection(): Connection {
    return this.use.connection;
  }

  get pid(): number {
    return this.use.pid;
  }

  get adopted(): boolean {
    return this.use.adopted;
  }

  get dataDir(): string {
    return this.server.cluster;
  }

  stop(): Promise<void> {
    this.stopped ??= this.finish();
    return this.stopped;
  }

  private async finish(): Promise<void> {
    clearInterval(this.timer);
    await this.restart;
    await this.server.leave(this.use);
  }

  private look(): void {
    if (this.restart !== undefined || performance.now() < this.nextLookAt) return;
    if (isPostmasterOf(this.dataDir, this.pid)) return;
    this.log(`PostgreSQL (pid ${this.pid}) is gone; starting it again`);
    this.restart = this.startAgain().finally(() => (this.restart = undefined));
  }

  private async startAgain(): Promise<void> {
    try {
      this.use = await this.server.use();
    } catch (error) {
      this.nextLookAt = performance.now() + TRY_AGAIN_MS;
      this.log(EmbeddedPostgresError.from(error).message);
    }
  }
}
