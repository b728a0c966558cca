import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Account, canEnter, giveTo, isRoot, unprivilegedAccount } from './account.js';
import { EmbeddedPostgresError, errno } from './errors.js';

/** The folder of a cluster and of what stands beside it, and the account that PostgreSQL runs as there. */
export interface Place {
  readonly folder: string;
  readonly account: Account;
}

/** The longest socket path that every system takes: 104 bytes on macOS, 108 on Linux, with the NUL at its end. */
const SOCKET_PATH_BYTES = 103;

export const clusterIn = (folder: string): string => join(folder, 'pg');

/**
 * Where the cluster of a data folder is. That is the folder itself, unless this is root and the unprivileged account
 * cannot enter it (a 0700 home above): then it is /var/lib/parley-<hash>. A cluster that exists is never left behind.
 * @throws EmbeddedPostgresError when the cluster that exists cannot be used by this account
 */
export function findPlace(dataDir: string): Place {
  mkdirSync(dataDir, { recursive: true });
  const home = realpathSync(dataDir);
  if (!isRoot()) return { folder: home, account: ourselves(home) };
  // An empty folder is ours to let others pass through: whatever comes into it is closed by itself.
  if (readdirSync(home).length === 0) chmodSync(home, statSync(home).mode | 0o011);
  const moved = `/var/lib/parley-${hash(home)}`;
  const existing = [home, moved].find((folder) => clusterExists(clusterIn(folder)));
  const account = existing === undefined ? unprivilegedAccount() : ownerOf(clusterIn(existing));
  if (canEnter(account, existing ?? home)) return { folder: existing ?? home, account };
  if (existing !== undefined) {
    throw new EmbeddedPostgresError(
      `${clusterIn(existing)} cannot be entered by its owner, uid ${account.uid}`,
    );
  }
  mkdirSync(moved, { recursive: true });
  // Not left to the umask: the account must be able to pass.
  chmodSync(moved, 0o755);
  if (!canEnter(account, moved)) {
    throw new EmbeddedPostgresError(`uid ${account.uid} can enter neither ${home} nor ${moved}`);
  }
  return { folder: moved, account };
}

/** A cluster comes into being by a rename, whole; an empty folder, such as a fresh volume, is none. */
export function clusterExists(cluster: string): boolean {
  try {
    return readdirSync(cluster).length > 0;
  } catch (error) {
    if (errno(error) === 'ENOENT') return false;
    if (errno(error) === 'EACCES') return true;
    throw error;
  }
}

/**
 * A private folder for the socket, short enough for a socket's path, the same for every instance of this cluster.
 * @throws EmbeddedPostgresError when somebody else sits on its name
 */
export function makeSocketDir({ folder, account }: Place): string {
  const owner = account.uid ?? process.getuid?.();
  const name = `parley-${hash(`${folder} ${owner}`)}`;
  const parent = [tmpdir(), '/tmp'].find(
    (dir) =>
      Buffer.byteLength(join(dir, name, '.s.PGSQL.5432')) <= SOCKET_PATH_BYTES && canEnter(account, dir),
  );
  if (parent === undefined)
    throw new EmbeddedPostgresError(`there is no folder for its socket in ${tmpdir()}`);
  const dir = join(parent, name);
  try {
    mkdirSync(dir, { mode: 0o700 });
    giveTo(account, dir);
  } catch (error) {
    if (errno(error) !== 'EEXIST') throw error;
    const found = lstatSync(dir);
    if (!found.isDirectory() || found.uid !== owner || (found.mode & 0o077) !== 0) {
      throw new EmbeddedPostgresError(`${dir} belongs to somebody else`);
    }
  }
  return dir;
}

function ourselves(home: string): Account {
  const cluster = clusterIn(home);
  if (clusterExists(cluster) && statSync(cluster).uid !== process.getuid?.()) {
    throw new EmbeddedPostgresError(`${cluster} belongs to another account, uid ${statSync(cluster).uid}`);
  }
  return {};
}

/** A cluster that an ordinary user has made stays his when root starts it. */
function ownerOf(cluster: string): Account {
  const { uid, gid } = statSync(cluster);
  return uid === 0 ? unprivilegedAccount() : { uid, gid };
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
