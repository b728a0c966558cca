import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/platform/database/embedded-postgres/embedded-postgres.js';
import { until } from '../support/wait-for.js';

/** A PostgreSQL of a scenario's own, as durable as the default one, that is stopped the hard way. */
export class ChaosPostgres {
  private constructor(
    private readonly dataDir: string,
    private server: EmbeddedPostgres,
  ) {}

  static async start(): Promise<ChaosPostgres> {
    const dataDir = await mkdtemp(join(tmpdir(), 'parley-chaos-'));
    // Open to the account that root runs PostgreSQL as, so that all there is lies here and goes with it.
    await chmod(dataDir, 0o755);
    return new ChaosPostgres(dataDir, await open(dataDir));
  }

  get settings(): EmbeddedPostgres['connection'] {
    return this.server.connection;
  }

  /** For DATABASE_URL. */
  get url(): string {
    return urlOf(this.settings);
  }

  /** Immediate stop: nothing is flushed, every connection is cut. It is started again within a second. */
  async crash(): Promise<void> {
    const { pid } = this.server;
    process.kill(pid, 'SIGQUIT');
    await until(() => this.server.pid !== pid, { within: 60_000 });
    await until(() => this.answers(), { within: 60_000 });
  }

  /** Immediate stop, and it stays away until {@link comeBack}. */
  async goAway(): Promise<void> {
    process.kill(this.server.pid, 'SIGQUIT');
    await this.server.stop();
  }

  async comeBack(): Promise<void> {
    this.server = await open(this.dataDir);
  }

  async remove(): Promise<void> {
    await this.server.stop();
    await rm(this.dataDir, { recursive: true, force: true });
  }

  private async answers(): Promise<boolean> {
    const client = new pg.Client({ ...this.settings, ssl: false });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('SELECT 1');
      return true;
    } finally {
      await client.end();
    }
  }
}

export function urlOf({ host, port, user, password, database }: EmbeddedPostgres['connection']): string {
  return `postgres://${user}:${encodeURIComponent(password)}@${encodeURIComponent(host)}:${port}/${database}`;
}

function open(dataDir: string): Promise<EmbeddedPostgres> {
  return startEmbeddedPostgres({ dataDir, log: () => {} });
}
