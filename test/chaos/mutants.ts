import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Finding } from './finding.js';

/** A defect that somebody might build in, as a change of one built file. */
export interface Mutant {
  /** Below dist/src. */
  readonly file: string;
  readonly find: RegExp;
  readonly replace: string;
  /** What the checker must find, at the least. */
  readonly broken: Finding['broken'];
}

/** Reports of old attempts are believed. */
export const NO_FENCE: Mutant = {
  file: 'tasks/task-commands.js',
  find: /fence\(task, \{ attempt, leaseToken \}\) \{/,
  replace: `$& return 'proved';`,
  broken: 'stale accepted',
};

/** First the state is committed, and a slow disk's time later its events are. */
export const EVENT_OUTSIDE: Mutant = {
  file: 'platform/database/commit.js',
  find: /const rows = await pipeline\(client, statements\);/,
  replace: `await pipeline(client, [...writes, COMMIT]);
    if (events.length === 0) return undefined;
    await new Promise((resolve) => setTimeout(resolve, 25));
    const rows = await pipeline(client, [{ name: 'begin', text: 'BEGIN' }, ...log.append(events), COMMIT]);`,
  broken: 'gap in seq',
};

/** What is decided is answered, and committed a slow disk's time later. */
export const ANSWER_FIRST: Mutant = {
  file: 'platform/database/batch-run.js',
  find: /return commitWithEvents\(/g,
  replace: `return (async (...ending) => {
      for (const [entry, outcome] of this.outcomes) if ('done' in outcome) entry.resolve(outcome.done);
      await new Promise((resolve) => setTimeout(resolve, 25));
      return commitWithEvents(...ending);
    })(`,
  broken: 'lost',
};

/** Whether a lease is over is decided by the clock of the server that looks. */
export const CLIENT_CLOCK: Mutant = {
  file: 'tasks/jobs/lease.sweep.js',
  find: /(: null), at\)/,
  replace: '$1, { ...at, now: new Date().toISOString() })',
  broken: 'taken early',
};

/** A copy of the build, with the mutant in it if there is one. @returns its entry */
export async function buildCopy(mutant?: Mutant): Promise<{ main: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'parley-mutant-'));
  for (const part of ['src', 'config', 'migrations']) {
    await cp(join('dist', part), join(folder, 'dist', part), { recursive: true });
  }
  await symlink(join(process.cwd(), 'node_modules'), join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  if (mutant !== undefined) {
    const file = join(folder, 'dist/src', mutant.file);
    const text = await readFile(file, 'utf8');
    const changed = text.replace(mutant.find, mutant.replace);
    if (changed === text) throw new Error(`${mutant.file} has nothing like ${mutant.find} any more`);
    await writeFile(file, changed);
  }
  return {
    main: join(folder, 'dist/src/main.js'),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
