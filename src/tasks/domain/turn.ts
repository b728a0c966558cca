import type { Task } from './task.js';

/**
 * On a route where tasks have fairness keys, `vtime` is virtual: a key's tasks stand one turn apart, and a key that comes
 * new begins where the queue stands, so each key gets as much as every other (start-time fair queueing). The turn is drawn
 * in SQL when the task becomes claimable; until then `vtime` is negative, and orders what becomes claimable together.
 */
export function undrawn(ordinal: number): number {
  return ordinal - 1_000;
}

/** The task at the end of its key's tasks: for one that begins to wait. One that is offered again keeps its turn. */
export function atTheEnd(task: Task): Task {
  return task.fairness_key === null ? task : { ...task, vtime: undrawn(0) };
}
