import { spawnSync } from 'node:child_process';
import { chownSync, readFileSync } from 'node:fs';
import { EmbeddedPostgresError } from './errors.js';

/** Whom PostgreSQL runs as, in the form `spawn` takes. Empty = as this process does. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

const UNPRIVILEGED = ['postgres', 'nobody'];

export function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** PostgreSQL refuses to run as root, so root runs it as `postgres`, else as `nobody`; everybody else as himself. */
export function unprivilegedAccount(): Account {
  if (!isRoot()) return {};
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  for (const name of UNPRIVILEGED) {
    const [, , uid, gid] = entries.find(([known]) => known === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new EmbeddedPostgresError(
    `root must run it as ${UNPRIVILEGED.join(' or ')}, and /etc/passwd has neither`,
  );
}

/** Can the account enter this folder, through all folders above it? */
export function canEnter(account: Account, folder: string): boolean {
  return (
    spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], { ...account, cwd: '/', stdio: 'ignore' })
      .status === 0
  );
}

/** Hands over a file or folder that this process has made; nothing to do when PostgreSQL runs as ourselves. */
export function giveTo(account: Account, path: string): void {
  if (account.uid !== undefined && account.gid !== undefined) chownSync(path, account.uid, account.gid);
}
