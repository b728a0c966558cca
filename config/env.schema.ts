import ipaddr from 'ipaddr.js';

/**
 * Every environment variable Parley reads (CONTRACT §9): its name, what it means, its default and how its text is read.
 * A wrong value stops the start with one line; nothing is guessed.
 */
export interface EnvVariable<T> {
  readonly about: string;
  /** Text as it would be written in the environment; absent = the variable is optional and has no value. */
  readonly fallback?: string;
  /** Reads the text, or throws an Error whose message says what is expected. */
  read(text: string): T;
}

const text = (about: string, fallback?: string): EnvVariable<string> => ({
  about,
  fallback,
  read: (value) => value,
});

function wholeNumber(about: string, fallback: number, min: number, max: number): EnvVariable<number> {
  return {
    about,
    fallback: String(fallback),
    read(value) {
      const number = Number(value);
      if (!/^\d+$/.test(value) || number < min || number > max) {
        throw new Error(`must be a whole number from ${min} to ${max}`);
      }
      return number;
    },
  };
}

function oneOf<T extends string>(about: string, fallback: T, values: readonly T[]): EnvVariable<T> {
  return {
    about,
    fallback,
    read(value) {
      const found = values.find((one) => one === value);
      if (found === undefined) throw new Error(`must be one of ${values.join(', ')}`);
      return found;
    },
  };
}

const redisUrl = (about: string): EnvVariable<string> => ({
  about,
  read(value) {
    if (!/^rediss?:\/\/./.test(value) || !URL.canParse(value))
      throw new Error('must be a URL such as redis://127.0.0.1:6379 or rediss://user:password@host:6380');
    return value;
  },
});

function postgresUrl(about: string): EnvVariable<string> {
  return {
    about,
    read(value) {
      if (!/^postgres(ql)?:\/\//.test(value)) throw new Error('must start with postgres:// or postgresql://');
      return value;
    },
  };
}

/** CIDR blocks, separated by commas. Anything but four whole decimal parts is a typing error, whatever it might mean. */
const addressBlocks = (about: string): EnvVariable<readonly string[]> => ({
  about,
  fallback: '',
  read(value) {
    const blocks = value.split(',').map((block) => block.trim());
    const named = blocks.filter((block) => block !== '');
    const wrong = named.find((block) => !isBlock(block));
    if (wrong !== undefined)
      throw new Error(`must be CIDR blocks such as 10.0.0.0/8,fd00::/8, and '${wrong}' is none`);
    return named;
  },
});

function isBlock(block: string): boolean {
  return ipaddr.IPv4.isValidCIDRFourPartDecimal(block) || ipaddr.IPv6.isValidCIDR(block);
}

/** Secrets that stand in examples all over the internet; a start with one of them is refused. */
const PLACEHOLDER_SECRETS = ['secret', 'secret-key', 'changeme', 'change-me', 'password', 'admin'];

const secret = (about: string): EnvVariable<string> => ({
  about,
  read(value) {
    if (PLACEHOLDER_SECRETS.includes(value.toLowerCase()))
      throw new Error('is a placeholder; set a secret of your own');
    if (value.length < 16) throw new Error('must have at least 16 characters');
    return value;
  },
});

export const ENV_SCHEMA = {
  PORT: wholeNumber('TCP port; 0 lets the kernel choose', 3000, 0, 65535),
  HOST: text('address to listen on; containers set 0.0.0.0', '127.0.0.1'),
  PARLEY_DATA_DIR: text('folder of the embedded PostgreSQL and of admin.json', '.parley'),
  DATABASE_URL: postgresUrl('your PostgreSQL; absent: an embedded one in PARLEY_DATA_DIR'),
  DATABASE_DIRECT_URL: postgresUrl(
    'PostgreSQL past any pooler, for what needs a session; absent: DATABASE_URL',
  ),
  REDIS_URL: redisUrl('your Redis, for jobs; absent: PostgreSQL does that, too'),
  PARLEY_ROLE: oneOf('what this process does', 'all', ['all', 'api', 'worker']),
  PARLEY_ADMIN_CLIENT_ID: text('client id of the first admin', 'admin'),
  PARLEY_ADMIN_CLIENT_SECRET: secret('secret of the first admin; on the embedded default it may be absent'),
  PARLEY_JWT_PRIVATE_KEY: text(
    'RSA private key (PEM) that signs tokens; absent: made once and kept in PostgreSQL',
  ),
  WS_MAX_CONNECTIONS: wholeNumber('sockets at most', 10_000, 1, 1_000_000),
  HEARTBEAT_INTERVAL: wholeNumber('seconds between heartbeats; a lease lasts three', 30, 1, 3600),
  EVENT_RETENTION_DAYS: wholeNumber(
    'days that events are kept, and tasks and workflows after their end',
    30,
    1,
    36_500,
  ),
  EGRESS_ALLOW: addressBlocks(
    'CIDR blocks that health checks, callbacks and webhooks may reach though they are not public',
  ),
  LOG_LEVEL: oneOf('least severity that is logged', 'info', [
    'fatal',
    'error',
    'warn',
    'info',
    'debug',
    'trace',
    'silent',
  ]),
} satisfies Record<string, EnvVariable<unknown>>;
