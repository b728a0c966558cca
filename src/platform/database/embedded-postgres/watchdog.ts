import { type ChildProcess, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Account } from './account.js';

/**
 * Runs a program and ends it when the other end of file descriptor 3 closes, by whatever death: politely, after 1.5 s
 * firmly, after 15 s at once. The outer shell is the program's parent, so that the number it signals is the program's
 * own as long as it waits, and it ends when the program does.
 */
const SCRIPT = `
"$@" 3<&- &
program=$!
{
  trap exit TERM
  read -r _ <&3
  exec 3<&-
  kill -TERM $program
  tenths=0
  while sleep 0.1 && kill -0 $program; do
    tenths=$((tenths + 1))
    if [ $tenths -eq 15 ]; then kill -INT $program; fi
    if [ $tenths -eq 150 ]; then kill -QUIT $program; fi
  done
} >/dev/null 2>&1 &
dog=$!
exec 3<&- 2>/dev/null
wait $program
status=$?
kill $dog && wait $dog
exit $status
`;

/** PostgreSQL's environment is ours to choose: no PG* variable and no locale of the caller reaches it. */
const ENVIRONMENT = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/**
 * Starts a program of PostgreSQL that does not outlive its users. Signals from the terminal do not reach it.
 * @param readEnd where the watchdog reads: a descriptor, or `pipe` for one that lives as long as this process
 * @param onLine each line of its stderr
 */
export function spawnWatched(
  command: readonly string[],
  account: Account,
  readEnd: number | 'pipe',
  onLine: (line: string) => void,
): ChildProcess {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'parley-watchdog', ...command], {
    ...account,
    cwd: '/',
    env: ENVIRONMENT,
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', readEnd],
  });
  // A watchdog that was killed breaks its pipes; what that means shows when the program ends.
  for (const stream of child.stdio) stream?.on('error', () => {});
  if (child.stderr) createInterface({ input: child.stderr }).on('line', onLine);
  return child;
}

/** The status with which the program ended, once its last line has come. Rejects when it could not even be started. */
export function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status) => resolve(status));
  });
}

/** From now on the program does not keep this process from ending. */
export function letRun(child: ChildProcess): void {
  child.unref();
  for (const stream of child.stdio) if (stream instanceof Socket) stream.unref();
}
