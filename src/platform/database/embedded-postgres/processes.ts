import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { errno } from './errors.js';

/** Is there a process of this number? One of another account counts. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errno(error) === 'EPERM';
  }
}

/**
 * What tells a process from a later one that got the same number (containers hand out the same few again and again):
 * the boot it lives in and the moment it started. Undefined = there is no such process.
 */
export function birthOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') return ps('lstart=', pid).replace(/\W+/g, '-');
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may hold spaces and brackets; the start is the 22nd.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)}-${ticks}`;
  } catch {
    return undefined;
  }
}

/** Is this process the PostgreSQL server of this cluster (and not a stranger that got its number, nor a zombie)? */
export function isPostmasterOf(cluster: string, pid: number): boolean {
  if (!isRunning(pid)) return false;
  try {
    if (process.platform !== 'linux') return ps('command=', pid).includes(cluster);
    return realpathSync(`/proc/${pid}/cwd`) === realpathSync(cluster);
  } catch {
    return false;
  }
}

function ps(column: string, pid: number): string {
  return execFileSync('ps', ['-ww', '-o', column, '-p', String(pid)], { encoding: 'utf8' }).trim();
}
