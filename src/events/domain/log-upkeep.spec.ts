import { describe, expect, it } from '@jest/globals';
import { type LogState, type Partition, planUpkeep } from './log-upkeep.js';

const MILLION = 1_000_000;
const NOW = Date.parse('2026-06-30T00:00:00.000Z');
const daysAgo = (days: number): string => new Date(NOW - days * 86_400_000).toISOString();

/** A partition of a million positions; `ages` are those of its first and its last event, in days. */
function partition(
  index: number,
  ages?: readonly [number, number],
  more: Partial<Partition> = {},
): Partition {
  const from = index * MILLION;
  return {
    name: `events_p${from}`,
    from,
    to: from + MILLION,
    detaching: false,
    firstAt: ages === undefined ? null : daysAgo(ages[0]),
    lastAt: ages === undefined ? null : daysAgo(ages[1]),
    lastPos: ages === undefined ? null : from + MILLION - 1,
    ...more,
  };
}

function log(partitions: readonly Partition[], more: Partial<LogState> = {}): LogState {
  const written = partitions.findLast(({ lastPos }) => lastPos !== null);
  const next = (written?.lastPos ?? -1) + 1;
  return { now: daysAgo(0), next, start: 0, startMovedAt: daysAgo(1), partitions, ...more };
}

const ahead = (from: number): Partition[] => [from, from + 1, from + 2].map((index) => partition(index));

describe('the upkeep of the log', () => {
  it('has nothing to do while there is room ahead and nothing is old', () => {
    expect(planUpkeep(log([partition(0, [1, 0], { lastPos: 500 }), ...ahead(1)]), 30)).toEqual([]);
  });

  it('keeps three partitions ahead of the one that is written to', () => {
    expect(planUpkeep(log([partition(0, [1, 0], { lastPos: 500 }), partition(1)]), 30)).toEqual([
      { does: 'create', from: 2 * MILLION, to: 3 * MILLION },
      { does: 'create', from: 3 * MILLION, to: 4 * MILLION },
    ]);
  });

  it('makes them wider where the log grows fast, so that they stay few', () => {
    const fast = Array.from({ length: 20 }, (_, index) => partition(index, [0.2, 0.1]));
    expect(planUpkeep(log([...fast, partition(20), partition(21), partition(22)]), 30)).toEqual([
      { does: 'create', from: 23 * MILLION, to: 43 * MILLION },
    ]);
  });

  it('cuts a partition that has spanned an eighth of the retention, however little is in it', () => {
    const quiet = partition(0, [4, 3], { lastPos: 7 });
    expect(planUpkeep(log([quiet, ...ahead(1)]), 30)).toEqual([
      { does: 'cut', before: MILLION, next: MILLION },
    ]);
    expect(planUpkeep(log([quiet, ...ahead(1)], { next: MILLION }), 30)).toEqual([
      { does: 'create', from: 4 * MILLION, to: 5 * MILLION },
    ]);
  });

  it('tells readers first; drops what expired a minute later; keeps what comes behind something young', () => {
    const partitions = [
      partition(0, [90, 60]),
      partition(1, [60, 31]),
      partition(2, [31, 29]),
      partition(3, [99, 98]),
    ];
    const old = log([...partitions, partition(4, [1, 0], { lastPos: 4 * MILLION }), ...ahead(5)]);
    expect(planUpkeep(old, 30)).toEqual([{ does: 'move_start', to: 2 * MILLION - 1 }]);
    const told = { ...old, start: 2 * MILLION - 1, startMovedAt: new Date(NOW - 59_000).toISOString() };
    expect(planUpkeep(told, 30)).toEqual([]);
    expect(planUpkeep({ ...told, startMovedAt: new Date(NOW - 61_000).toISOString() }, 30)).toEqual([
      { does: 'drop', partition: partitions[0] },
      { does: 'drop', partition: partitions[1] },
    ]);
  });

  it('never drops the partition that is written to, and drops all others of a log that fell silent', () => {
    const silent = [partition(0, [90, 80]), partition(1, [70, 60], { lastPos: MILLION + 5 })];
    const plan = planUpkeep(log([...silent, ...ahead(2)], { next: 2 * MILLION, start: MILLION + 5 }), 30);
    expect(plan.filter(({ does }) => does === 'drop')).toHaveLength(2);
    expect(planUpkeep(log([...silent, ...ahead(2)], { start: MILLION + 5 }), 30)).toEqual([
      { does: 'cut', before: 2 * MILLION, next: 2 * MILLION },
      { does: 'drop', partition: silent[0] },
    ]);
  });

  it('finishes what was interrupted', () => {
    const half = partition(0, undefined, { detaching: true });
    expect(planUpkeep(log([half, partition(1, [1, 0], { lastPos: MILLION + 5 }), ...ahead(2)]), 30)).toEqual([
      { does: 'drop', partition: half },
    ]);
  });
});
