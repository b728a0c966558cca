import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

interface Row {
  readonly name: string;
  readonly rate: number;
  readonly p50?: number;
  readonly cpu?: { readonly server: number; readonly postgres: number; readonly all: number };
}

/** Starting four servers and twenty processes takes a busy machine its time. */
const LIMIT_MS = 300_000;

it(
  'reports figures for each kind of scenario',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'parley-bench-spec-'));
    const json = join(folder, 'figures.json');
    try {
      await promisify(execFile)(process.execPath, ['test/bench/run.mjs', '--quick', '--json', json]);
      const { rows } = JSON.parse(await readFile(json, 'utf8')) as { rows: Row[] };
      // The yardstick has a rate alone; which one ran depends on the machine.
      const others = rows.filter(({ p50 }) => p50 !== undefined);
      const [yardstick, ...inMemory] = rows.filter(({ p50 }) => p50 === undefined);
      expect(yardstick).toMatchObject({ name: expect.stringMatching(/^(pgbench|pg)-16$/) });
      expect(yardstick?.rate).toBeGreaterThan(0);
      expect(others.map(({ name }) => name)).toEqual([
        'create-16',
        'http-16',
        'batched-16',
        'socket-16',
        'idle-http',
        'idle-socket',
        'workflow-socket-alone',
        'claims-1000-finished',
        'claims-10000-finished',
        'claims-10000-queued',
      ]);
      expect(inMemory.map(({ name }) => name)).toEqual(['router-100', 'router-10000', 'router-100000']);
      for (const { name, rate, p50, cpu } of others) {
        expect([name, rate, p50]).toEqual([name, expect.any(Number), expect.any(Number)]);
        if (process.platform === 'linux') expect(cpu?.server).toBeGreaterThan(0);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  LIMIT_MS,
);
