import { describe, expect, it } from '@jest/globals';
import type { Envelope } from '../../src/events/index.js';
import { deliveryFaults, isWanted, type Reader } from './delivery.js';
import type { Told } from './history.js';

const event = (id: string, topic: string, seq: number, payload: object = {}): Envelope => ({
  id,
  timestamp: '',
  event_type: topic,
  source_agent: null,
  target_agent: null,
  correlation_id: 'c',
  payload: { task_id: 't', ...payload },
  topic,
  project_id: 'p',
  seq,
  cursor: id,
});
const LOG = [event('1', 'task.a.created', 1), event('2', 'task.b.queued', 2), event('3', 'task.a.done', 3)];
const READER: Reader = { name: 'r', wishes: [{ topics: ['task.a.*'], filters: {} }] };
const told = (...ids: string[]): Told[] =>
  ids.map((id) => ({ client: 'r', id, type: 'x', aggregate: 't', seq: Number(id) }));

describe('the check of deliveries', () => {
  it.each([
    ['all is told, in order', ['1', '3'], 0],
    ['some of it twice', ['1', '1', '3', '1', '3'], 0],
    ['one is missing', ['1'], 1],
    ['one was not wanted', ['1', '2', '3'], 1],
    ['the order is wrong', ['3', '1'], 1],
    ['nothing is told', [], 2],
  ])('%s', (_what, ids, faults) => {
    expect(deliveryFaults([READER], told(...ids), LOG)).toHaveLength(faults);
  });

  it.each([
    ['#', {}, true],
    ['task.#', {}, true],
    ['task.a.created.#', {}, true],
    ['task.*', {}, false],
    ['*.a.*', { priority: ['high'], project_id: 'p' }, true],
    ['task.a.created', { priority: 'low' }, false],
    ['task.a.created', { none: null }, false],
  ])('%s %j: %s', (topic, filters, wanted) => {
    expect(
      isWanted([{ topics: [topic], filters }], event('1', 'task.a.created', 1, { priority: 'high' })),
    ).toBe(wanted);
  });
});
