import pg from 'pg';
import { installTypeParsers } from './type-parsers.js';

installTypeParsers();

/**
 * What serves requests finds its rows by index. A plan that was prepared while a table was small would otherwise go on
 * reading it whole, until the next ANALYZE: half of what PostgreSQL did for a task, in the first minutes of a database.
 */
const BY_INDEX = '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off';

/** How this process reaches Postgres, whichever it is: the embedded one's socket or DATABASE_URL. */
export class DatabaseConnection {
  constructor(
    /** For everything; may go through a pooler. */
    private readonly target: pg.ClientConfig,
    /** For what needs a session of its own: migrations, leadership, LISTEN, BullMQ. */
    private readonly directTarget: pg.ClientConfig = target,
  ) {}

  /** Settings of a connection that serves requests: nothing may hold a transaction or a statement open for long. */
  serving(name: string): pg.ClientConfig {
    return {
      ...this.target,
      application_name: `parley ${name}`,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      options: `-c timezone=UTC -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s ${BY_INDEX}`,
    };
  }

  /** Settings of a session connection; `options` are added to the server's command line options. */
  direct(name: string, options = '-c timezone=UTC'): pg.ClientConfig {
    return {
      ...this.directTarget,
      application_name: `parley ${name}`,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      options,
    };
  }

  /** A pool that never brings the process down: node-postgres emits `error` on idle and on checked-out clients alike. */
  pool(name: string, size: number): pg.Pool {
    const pool = new pg.Pool({ ...this.serving(name), max: size, idleTimeoutMillis: 30_000 });
    pool.on('error', () => {});
    pool.on('connect', (client) => client.on('error', () => {}));
    return pool;
  }
}
