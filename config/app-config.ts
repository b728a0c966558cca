import { resolve } from 'node:path';
import { ENV_SCHEMA, type EnvVariable } from './env.schema.js';

type Schema = typeof ENV_SCHEMA;
type ValueOf<V> = V extends EnvVariable<infer T> ? T : never;
/** Variables without a default may be absent. */
type Optional =
  | 'DATABASE_URL'
  | 'DATABASE_DIRECT_URL'
  | 'REDIS_URL'
  | 'PARLEY_ADMIN_CLIENT_SECRET'
  | 'PARLEY_JWT_PRIVATE_KEY';
type Env = { readonly [K in keyof Schema]: ValueOf<Schema[K]> | (K extends Optional ? undefined : never) };

/** A start-up refusal: one line per wrong variable, the remedy in the line. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * The configuration of one process, read once from the environment.
 * Throws {@link ConfigError} with a line for each variable that cannot be read.
 */
export class AppConfig {
  readonly env: Env;
  /** Absolute path of the data folder. */
  readonly dataDir: string;

  constructor(environment: Readonly<Record<string, string | undefined>> = process.env) {
    this.env = readEnv(environment);
    this.dataDir = resolve(this.env.PARLEY_DATA_DIR);
    if (this.env.DATABASE_URL !== undefined && this.env.PARLEY_ADMIN_CLIENT_SECRET === undefined) {
      throw new ConfigError(
        'PARLEY_ADMIN_CLIENT_SECRET must be set when DATABASE_URL is: nobody could log in otherwise.',
      );
    }
  }

  /** How long a lease lasts without a sign of life, in seconds: three heartbeat intervals (CONTRACT §4). */
  get leaseSeconds(): number {
    return this.env.HEARTBEAT_INTERVAL * 3;
  }

  /** Does this process serve HTTP and sockets? */
  get servesApi(): boolean {
    return this.env.PARLEY_ROLE !== 'worker';
  }

  /** Does this process run sweeps, reactions and jobs? */
  get runsWork(): boolean {
    return this.env.PARLEY_ROLE !== 'api';
  }
}

function readEnv(environment: Readonly<Record<string, string | undefined>>): Env {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, variable] of Object.entries<EnvVariable<unknown>>(ENV_SCHEMA)) {
    // An empty variable is an unset one: compose files and CI write them so.
    const text = environment[name] || variable.fallback;
    if (text === undefined) continue;
    try {
      values[name] = variable.read(text);
    } catch (error) {
      problems.push(`${name} ${error instanceof Error ? error.message : String(error)} (${variable.about}).`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.join('\n'));
  // Checked above, variable by variable, against the schema that the type is made from.
  return values as Env;
}
