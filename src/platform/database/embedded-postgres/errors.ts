const REMEDY = 'Set DATABASE_URL to use a PostgreSQL of your own instead.';

/** The embedded PostgreSQL cannot run here: one line that says why, and what to do. */
export class EmbeddedPostgresError extends Error {
  override readonly name = 'EmbeddedPostgresError';

  constructor(reason: string, options?: ErrorOptions) {
    super(
      `The embedded PostgreSQL did not start: ${reason.replace(/\s+/g, ' ').replace(/\.?$/, '.')} ${REMEDY}`,
      options,
    );
  }

  /** Any error of the way, as the one line; what is one already stays as it is. */
  static from(error: unknown): EmbeddedPostgresError {
    if (error instanceof EmbeddedPostgresError) return error;
    const message = property(error, 'message');
    return new EmbeddedPostgresError(message ?? String(error), { cause: error });
  }
}

/** The operating system's name of an error (`ENOENT`, `EACCES` …), if it is one of its. */
export function errno(error: unknown): string | undefined {
  return property(error, 'code');
}

/** Not by `instanceof Error`: what Node throws is no instance of the Error of a test's own context. */
function property(error: unknown, name: 'code' | 'message'): string | undefined {
  const value: unknown = typeof error === 'object' && error !== null ? Reflect.get(error, name) : undefined;
  return typeof value === 'string' ? value : undefined;
}
