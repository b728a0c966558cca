import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { birthOf } from './processes.js';

const CLAIM = 'pg.lock.';

/**
 * Runs `work` while nobody else does so in this folder, in this process or another.
 *
 * Each contender lays down a claim of its own, an empty file whose name says which process it is, and then looks: who
 * sees no other living claim holds the lock, who sees one withdraws and tries again. Of two, at least the later one sees
 * the other. A claim of a dead process may be removed by anybody at any time, since no living one ever bears its name:
 * that is what a single lock file cannot give.
 * @throws Error when it is not free within `waitMs`
 */
export async function withStartLock<T>(folder: string, waitMs: number, work: () => Promise<T>): Promise<T> {
  const own = `${CLAIM}${process.pid}.${birthOf(process.pid)}.${randomBytes(4).toString('hex')}`;
  const giveUpAt = performance.now() + waitMs;
  while (!tryClaim(folder, own)) {
    if (performance.now() > giveUpAt) {
      throw new Error(`another instance has been busy in ${folder} for ${waitMs / 1000} s`);
    }
    await delay(20 + Math.random() * 60);
  }
  try {
    return await work();
  } finally {
    rmSync(join(folder, own), { force: true });
  }
}

function tryClaim(folder: string, own: string): boolean {
  if (othersClaim(folder, own)) return false;
  writeFileSync(join(folder, own), '', { flag: 'wx', mode: 0o600 });
  if (!othersClaim(folder, own)) return true;
  rmSync(join(folder, own));
  return false;
}

function othersClaim(folder: string, own: string): boolean {
  const others = readdirSync(folder).filter((name) => name.startsWith(CLAIM) && name !== own);
  const living = others.filter((name) => {
    const [pid, birth] = name.slice(CLAIM.length).split('.');
    return birthOf(Number(pid)) === birth;
  });
  for (const dead of others.filter((name) => !living.includes(name)))
    rmSync(join(folder, dead), { force: true });
  return living.length > 0;
}
