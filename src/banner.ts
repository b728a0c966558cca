import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';

interface Facts {
  readonly host: string;
  /** Undefined: a process that only works, and does not listen. */
  readonly port: number | undefined;
  /** What the database is. */
  readonly postgres: string;
  /** Undefined where nothing is kept in it. */
  readonly dataDir: string | undefined;
  /** Undefined where the environment holds the admin's secret. */
  readonly adminFile: string | undefined;
}

/** What a start says on stdout. `Parley listens on …` stands alone on its line, for programs to find. */
export function banner({ host, port, postgres, dataDir, adminFile }: Facts): string {
  const lines = [`Parley ${version()} on Node.js ${process.version} and ${postgres}`];
  if (dataDir !== undefined) lines.push(`Its data is in ${dataDir}`);
  lines.push(
    adminFile === undefined
      ? 'The admin logs in with PARLEY_ADMIN_CLIENT_ID and PARLEY_ADMIN_CLIENT_SECRET'
      : `The admin's client id and secret are in ${adminFile}`,
  );
  if (port === undefined) {
    lines.push('Parley works, and does not listen (PARLEY_ROLE is worker)');
  } else {
    const url = `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
    lines.push(`The API is described at ${url}/docs`, `Parley listens on ${url}`);
  }
  return `${lines.join('\n')}\n`;
}

function version(): string {
  // Built, this is dist/src/banner.js, or part of dist/server/main.js.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
