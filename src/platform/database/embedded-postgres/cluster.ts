import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { giveTo } from './account.js';
import { EmbeddedPostgresError, errno } from './errors.js';
import { type Place, clusterIn } from './place.js';
import { lastWords } from './last-words.js';
import { ended, spawnWatched } from './watchdog.js';

/** The name of the database and of the role that owns it. */
export const PARLEY = 'parley';

const UNFINISHED = 'pg.new-';
const passwordFile = (folder: string): string => join(folder, 'pg.password');

/**
 * Makes the cluster: UTF-8, sorted by code point, with a password of its own that is kept beside it. It gets its name
 * only when it is whole; what a killed start has left half-made is removed. Under the start lock.
 */
export async function makeCluster(place: Place, initdb: string, socketDir: string): Promise<void> {
  for (const name of readdirSync(place.folder).filter((one) => one.startsWith(UNFINISHED))) {
    rmSync(join(place.folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
  const password = randomBytes(18).toString('base64url');
  const unfinished = join(place.folder, UNFINISHED + randomBytes(4).toString('hex'));
  // initdb reads the password as the other account: from the folder that is private to it.
  const passwordForInitdb = join(socketDir, 'password');
  try {
    mkdirSync(unfinished, { mode: 0o700 });
    giveTo(place.account, unfinished);
    rmSync(passwordForInitdb, { force: true });
    writeFileSync(passwordForInitdb, password, { mode: 0o600, flag: 'wx' });
    giveTo(place.account, passwordForInitdb);
    await runInitdb(place, initdb, unfinished, passwordForInitdb);
    writeFileSync(passwordFile(place.folder), password, { mode: 0o600, flush: true });
    renameSync(unfinished, clusterIn(place.folder));
    syncFolder(place.folder);
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true });
    throw error;
  } finally {
    rmSync(passwordForInitdb, { force: true });
  }
}

/** The password of the cluster's one role. */
export function readPassword(folder: string): string {
  try {
    return readFileSync(passwordFile(folder), 'utf8');
  } catch (error) {
    const reason = `the password of its cluster, ${passwordFile(folder)}, cannot be read (${errno(error)})`;
    throw new EmbeddedPostgresError(reason, { cause: error });
  }
}

async function runInitdb(place: Place, initdb: string, cluster: string, passwordPath: string): Promise<void> {
  const command = [initdb, '-D', cluster, '-U', PARLEY, '--pwfile', passwordPath, '--auth=scram-sha-256'];
  const locale = ['-E', 'UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const lines: string[] = [];
  const child = spawnWatched([...command, ...locale, '--no-instructions'], place.account, 'pipe', (line) =>
    lines.push(line),
  );
  const status = await ended(child);
  if (status !== 0)
    throw new EmbeddedPostgresError(`initdb failed (${lastWords(lines) ?? `status ${status}`})`);
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  fsyncSync(fd);
  closeSync(fd);
}
