import { describe, expect, it } from '@jest/globals';
import { creationOrder } from './creation-order.js';

const task = (id: string, ...dependencies: string[]): { id: string; dependencies: string[] } => ({
  id,
  dependencies,
});

describe('the order in which tasks are created together', () => {
  it('is as listed where none depends on another', () => {
    expect(creationOrder([task('a'), task('b', 'elsewhere'), task('c')])).toEqual([0, 1, 2]);
  });

  it('puts a task behind what it depends on, wherever that stands', () => {
    const tasks = [task('last', 'middle', 'first'), task('middle', 'first'), task('first')];
    expect(creationOrder(tasks).map((index) => tasks[index]?.id)).toEqual(['first', 'middle', 'last']);
  });

  it('names those that wait for each other', () => {
    expect(() => creationOrder([task('ok'), task('a', 'b'), task('b', 'a')])).toThrow(
      'a, b wait for each other',
    );
  });
});
