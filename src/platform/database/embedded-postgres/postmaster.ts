import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errno } from './errors.js';
import { birthOf, isPostmasterOf } from './processes.js';

const LOOK_MS = 20;
const FIRM_AFTER_MS = 1_500;
const AT_ONCE_AFTER_MS = 15_000;
const GIVE_UP_AFTER_MS = 30_000;

/** A server of a cluster, as it says itself in postmaster.pid. */
export interface Postmaster {
  readonly pid: number;
  readonly port: number;
  readonly socketDir: string;
  /** `starting`, `ready` or `stopping`; empty before it has said anything. */
  readonly status: string;
}

/** The server that runs on this cluster, if one does. */
export function findPostmaster(cluster: string): Postmaster | undefined {
  const [pid, , , port, socketDir = '', , , status = ''] = readPidFile(cluster).split('\n');
  if (!isPostmasterOf(cluster, Number(pid))) return undefined;
  return { pid: Number(pid), port: Number(port), socketDir, status: status.trim() };
}

/**
 * Takes away what a killed server has left, as far as PostgreSQL could stumble over it: lock files whose number now
 * belongs to another process. Under the start lock, and only when no server runs.
 */
export function clearLeftovers(cluster: string, socketDir: string): void {
  rmSync(join(socketDir, '.s.PGSQL.5432.lock'), { force: true });
  const pid = Number(readPidFile(cluster).split('\n')[0]);
  // A number that nobody has is left for PostgreSQL to judge: it also looks for backends that live on.
  if (pid > 0 && birthOf(pid) !== undefined) rmSync(join(cluster, 'postmaster.pid'), { force: true });
}

/** Stops a server: politely, after 1.5 s firmly (its clients are cut off), after 15 s at once (the next start recovers). */
export async function stopPostmaster(cluster: string, pid: number): Promise<void> {
  const startedAt = performance.now();
  let sent = '';
  while (isPostmasterOf(cluster, pid)) {
    const waited = performance.now() - startedAt;
    if (waited > GIVE_UP_AFTER_MS) throw new Error(`PostgreSQL (pid ${pid}) does not stop`);
    const signal = waited < FIRM_AFTER_MS ? 'SIGTERM' : waited < AT_ONCE_AFTER_MS ? 'SIGINT' : 'SIGQUIT';
    if (signal !== sent) send(pid, signal);
    sent = signal;
    await delay(LOOK_MS);
  }
}

/** Waits until a server takes connections. Undefined = it is about to end, or `giveUp` said so. */
export async function becomesReady(
  cluster: string,
  giveUp: (found: Postmaster | undefined) => boolean,
): Promise<Postmaster | undefined> {
  for (;;) {
    const found = findPostmaster(cluster);
    if (found?.status === 'ready') return found;
    if (found?.status === 'stopping' || giveUp(found)) return undefined;
    await delay(LOOK_MS);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (errno(error) !== 'ESRCH') throw error;
  }
}

function readPidFile(cluster: string): string {
  try {
    return readFileSync(join(cluster, 'postmaster.pid'), 'utf8');
  } catch (error) {
    if (errno(error) === 'ENOENT') return '';
    throw error;
  }
}
