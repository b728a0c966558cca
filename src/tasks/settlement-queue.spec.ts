import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { type EndedGroup, SettlementQueue } from './settlement-queue.js';

// What fails here fails on purpose.
Logger.overrideLogger(false);

/** A queue whose groups are settled when the test says so. */
function queueOf(atOnce: number) {
  const begun: { group: EndedGroup; settled: () => void; failed: () => void }[] = [];
  const queue = new SettlementQueue(
    atOnce,
    (group) =>
      new Promise((resolve, reject) => {
        begun.push({ group, settled: resolve, failed: () => reject(new Error('the database is away')) });
      }),
  );
  const add = (workflowId: string | null, ...ids: string[]): void =>
    queue.add(
      'p',
      workflowId,
      ids.map((id) => ({ id, projectId: 'p' })),
    );
  const groups = (): unknown[] =>
    begun.map(({ group }) => [group.workflowId, ...[...group.tasks.values()].map(({ id }) => id)]);
  return { queue, add, begun, groups };
}

/** Until all that was resolved has been heard of. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a queue of settlements', () => {
  it('works on a workflow one at a time, and takes what ended meanwhile together', async () => {
    const { add, begun, groups } = queueOf(8);
    add('w', 'a');
    add('w', 'b');
    add('w', 'c', 'b');
    add(null, 'x');
    expect(groups()).toEqual([
      ['w', 'a'],
      [null, 'x'],
    ]);
    begun[0]?.settled();
    await settled();
    expect(groups().at(-1)).toEqual(['w', 'b', 'c']);
  });

  it('works on so many at once and no more', async () => {
    const { add, begun, groups } = queueOf(2);
    for (const workflow of ['u', 'v', 'w']) add(workflow, 'a');
    expect(groups()).toHaveLength(2);
    begun[1]?.settled();
    await settled();
    expect(groups()).toEqual([
      ['u', 'a'],
      ['v', 'a'],
      ['w', 'a'],
    ]);
  });

  it('takes a hundred tasks of no workflow together, and the rest behind the others', async () => {
    const { add, begun } = queueOf(1);
    add('w', 'a');
    add(null, ...Array.from({ length: 150 }, (_, i) => `t${i}`));
    add('v', 'a');
    for (let done = 0; done < 3; done += 1) {
      begun[done]?.settled();
      await settled();
    }
    expect(begun.map(({ group }) => [group.workflowId, group.tasks.size])).toEqual([
      ['w', 1],
      [null, 100],
      ['v', 1],
      [null, 50],
    ]);
  });

  it('keeps projects apart, and tasks that are to be settled apart', () => {
    const { queue, begun } = queueOf(8);
    const keys = ['p', 'q'].map((projectId) => ({ id: 'a', projectId }));
    for (const key of keys) queue.add(key.projectId, null, [key]);
    queue.addApart([...keys, { id: 'b', projectId: 'p' }]);
    expect(begun.map(({ group }) => [...group.tasks.values()])).toEqual(
      [...keys, ...keys, { id: 'b', projectId: 'p' }].map((key) => [key]),
    );
  });

  it('goes on behind one that failed, which the sweep will bring again', async () => {
    const { add, begun, groups } = queueOf(1);
    add('w', 'a');
    add('w', 'b');
    begun[0]?.failed();
    await settled();
    expect(groups()).toEqual([
      ['w', 'a'],
      ['w', 'b'],
    ]);
  });

  it('leaves out what was settled with another end of the same workflow', async () => {
    const { queue, add, begun, groups } = queueOf(8);
    add('w', 'a');
    add('w', 'b');
    add('w', 'c');
    queue.forget('p', 'w', [{ id: 'b', projectId: 'p' }]);
    begun[0]?.settled();
    await settled();
    expect(groups().at(-1)).toEqual(['w', 'c']);
    add('w', 'd');
    queue.forget('p', 'w', [{ id: 'd', projectId: 'p' }]);
    begun[1]?.settled();
    await settled();
    expect(groups()).toHaveLength(2);
  });

  it('begins nothing more once it is closed, and is closed when nothing runs', async () => {
    const { queue, add, begun, groups } = queueOf(1);
    add('v', 'a');
    add('w', 'a');
    let closed = false;
    const closing = queue.close().then(() => (closed = true));
    await settled();
    expect(closed).toBe(false);
    begun[0]?.settled();
    await closing;
    expect(groups()).toEqual([['v', 'a']]);
  });
});
