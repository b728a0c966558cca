import { afterEach, describe, expect, it } from '@jest/globals';
import type { JobData, JobQueue } from '../../src/platform/job-queue/job-queue.port.js';
import { until } from '../support/wait-for.js';

interface Opened {
  readonly queue: JobQueue;
  /** Handlers are registered before; jobs are added after. */
  open(): Promise<void>;
  close(): Promise<void>;
}

const soon = (ms: number): Date => new Date(Date.now() + ms);

/** What every JobQueue does. `make` makes one over a store of its own. */
export function jobQueueContract(name: string, make: () => Promise<Opened>): void {
  describe(`a job queue ${name}`, () => {
    let opened: Opened | undefined;
    afterEach(async () => {
      await opened?.close();
      opened = undefined;
    });

    async function start(handlers: Record<string, (data: JobData) => Promise<void>>): Promise<JobQueue> {
      opened = await make();
      for (const [queue, handler] of Object.entries(handlers)) opened.queue.process(queue, handler);
      await opened.open();
      return opened.queue;
    }

    it('hands a job to its queue’s handler, with its data', async () => {
      const done: JobData[] = [];
      const queue = await start({
        mine: async (data) => void done.push(data),
        other: async () => Promise.reject(new Error('not for me')),
      });
      await queue.add('mine', { id: 'a', data: { task: 'x', second: 7 }, dueAt: soon(0) });
      await until(() => done.length > 0);
      expect(done).toEqual([{ task: 'x', second: 7 }]);
    });

    it('waits for the due moment, whatever the order of adding', async () => {
      const done: { name: unknown; at: number }[] = [];
      const queue = await start({
        q: async ({ name: job }) => void done.push({ name: job, at: Date.now() }),
      });
      const [late, early] = [soon(900), soon(300)];
      await queue.add('q', { id: 'late', data: { name: 'late' }, dueAt: late });
      await queue.add('q', { id: 'early', data: { name: 'early' }, dueAt: early });
      await until(() => done.length === 2);
      expect(done.map((one) => one.name)).toEqual(['early', 'late']);
      expect(done[0]?.at).toBeGreaterThanOrEqual(early.getTime() - 5);
      expect(done[1]?.at).toBeGreaterThanOrEqual(late.getTime() - 5);
      expect(done[1]?.at).toBeLessThan(late.getTime() + 2_000);
    });

    it('takes an id once while it waits, and again when it is done', async () => {
      const done: unknown[] = [];
      const queue = await start({ q: async ({ round }) => void done.push(round) });
      const dueAt = soon(300);
      await queue.add('q', { id: 'same', data: { round: 1 }, dueAt });
      await queue.add('q', { id: 'same', data: { round: 2 }, dueAt });
      await until(() => done.length > 0);
      await until(async () => {
        await queue.add('q', { id: 'same', data: { round: 3 }, dueAt: soon(0) });
        return done.includes(3);
      });
      expect(done).not.toContain(2);
    });

    it('tries a job once, and goes on after one that failed', async () => {
      const tried: unknown[] = [];
      const queue = await start({
        q: async ({ n }) => {
          tried.push(n);
          if (n === 1) throw new Error('no luck');
        },
      });
      await queue.add('q', { id: 'one', data: { n: 1 }, dueAt: soon(0) });
      await until(() => tried.length === 1);
      await queue.add('q', { id: 'two', data: { n: 2 }, dueAt: soon(0) });
      await until(() => tried.includes(2));
      expect(tried).toEqual([1, 2]);
    });

    it('waits at its close for the job that is being done', async () => {
      let ended = false;
      let begun = false;
      const queue = await start({
        q: async () => {
          begun = true;
          await new Promise((resolve) => setTimeout(resolve, 200));
          ended = true;
        },
      });
      await queue.add('q', { id: 'slow', data: {}, dueAt: soon(0) });
      await until(() => begun);
      await opened?.close();
      opened = undefined;
      expect(ended).toBe(true);
    });

    it('drops what is added when it is closed, and says nothing', async () => {
      const queue = await start({});
      await opened?.close();
      opened = undefined;
      await expect(queue.add('q', { id: 'a', data: {}, dueAt: soon(0) })).resolves.toBeUndefined();
    });
  });
}
