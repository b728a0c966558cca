import pg from 'pg';
import { installTypeParsers } from './type-parsers.js';

installTypeParsers();

/**
 * What serves requests finds its rows by index. A plan that was prepared while a table was small would otherwise go on
 * reading it whole, until the next ANALYZE: half of what PostgreSQL did for a task, in the first minutes of a database.
 */
const BY_INDEX = '-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off';

const SERVING = `-c timezone=UTC -c statement_timeout=30s -c idle_in_transaction_session_timeout=30s ${BY_INDEX}`;

/**
 * What writes runs a few statements, each of which does as much as its lists of keys are long: one plan serves all. Left
 * to itself PostgreSQL plans such a statement each time it runs, as a list that it sees is shorter than one that it
 * guesses: a third of what it did for a workflow (decision 0019).
 */
const PLANNED_ONCE = '-c plan_cache_mode=force_generic_plan';

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
    return this.settings(name, SERVING);
  }

  /** Settings of a connection that serves by changing things, in transactions; what it runs is planned once. */
  writing(name: string): pg.ClientConfig {
    return this.settings(name, `${SERVING} ${PLANNED_ONCE}`);
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
  pool(settings: pg.ClientConfig, size: number): pg.Pool {
    const pool = new pg.Pool({ ...settings, max: size, idleTimeoutMillis: 30_000 });
    pool.on('error', () => {});
    pool.on('connect', (client) => client.on('error', () => {}));
    return pool;
  }

  private settings(name: string, options: string): pg.ClientConfig {
    return {
      ...this.target,
      application_name: `parley ${name}`,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      options,
    };
  }
}
