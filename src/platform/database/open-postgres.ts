import type { AppConfig } from '../../../config/app-config.js';
import { DatabaseConnection } from './database-connection.js';
import { startEmbeddedPostgres } from './embedded-postgres/embedded-postgres.js';

/** The Postgres of this process. It is opened before the application is made, and stopped when that is closed. */
export interface OpenPostgres {
  readonly connection: DatabaseConnection;
  /** What it is, for the start banner. */
  readonly kind: string;
  /** Stops the embedded server unless another instance still uses it; does nothing to a Postgres of yours. */
  stop(): Promise<void>;
}

/**
 * The Postgres that DATABASE_URL names, or an embedded one in the data folder. The former need not be there yet.
 * @throws EmbeddedPostgresError one line that says why it cannot run here, and the remedy
 */
export async function openPostgres(config: AppConfig, log: (line: string) => void): Promise<OpenPostgres> {
  const { DATABASE_URL: url, DATABASE_DIRECT_URL: directUrl = url } = config.env;
  if (url !== undefined) {
    const connection = new DatabaseConnection({ connectionString: url }, { connectionString: directUrl });
    return { connection, kind: 'PostgreSQL at DATABASE_URL', stop: () => Promise.resolve() };
  }
  const postgres = await startEmbeddedPostgres({ dataDir: config.dataDir, log });
  return {
    // Whatever PGSSLMODE says: a socket in a private folder needs no TLS and has none.
    connection: new DatabaseConnection({ ...postgres.connection, ssl: false }),
    kind: `embedded PostgreSQL, process ${postgres.pid}`,
    stop: () => postgres.stop(),
  };
}
