import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { passes } from './event-filter.js';

const envelope = {
  event_type: 'task.failed',
  source_agent: null,
  correlation_id: 'c1',
  payload: { priority: 'high', attempt: 2, error: null, correlation_id: 'of the payload' },
};

describe('a filter', () => {
  it.each([
    [{}, true],
    [{ priority: 'high' }, true],
    [{ priority: ['critical', 'high'] }, true],
    [{ priority: [] }, false],
    [{ priority: 'low' }, false],
    [{ attempt: 2 }, true],
    [{ attempt: '2' }, false],
    [{ error: null }, true],
    [{ source_agent: null }, true],
    [{ event_type: ['task.failed', 'task.completed'], priority: 'high' }, true],
    [{ event_type: 'task.failed', priority: 'low' }, false],
    // The payload's field goes before the envelope's.
    [{ correlation_id: 'of the payload' }, true],
    [{ correlation_id: 'c1' }, false],
    // Neither has it.
    [{ colour: null }, false],
    [{ colour: undefined }, false],
    [{ toString: 'x' }, false],
  ])('%j: %s', (filter, expected) => {
    expect(passes(filter, envelope)).toBe(expected);
  });

  it('passes what it was taken from, as values or as lists of values', () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
    const field = fc.string({ minLength: 1 }).filter((name) => name !== '__proto__' && name !== 'payload');
    fc.assert(
      fc.property(fc.dictionary(field, value), fc.array(value), (payload, more) => {
        expect(passes(payload, { payload })).toBe(true);
        const lists = Object.fromEntries(
          Object.entries(payload).map(([name, one]) => [name, [...more, one]]),
        );
        expect(passes(lists, { payload })).toBe(true);
      }),
    );
  });

  it('is the conjunction of its fields', () => {
    const fields = fc.record({ a: fc.nat(2), b: fc.nat(2), c: fc.nat(2) });
    const wanted = fc.record({ a: fc.nat(2), b: fc.array(fc.nat(2)), c: fc.nat(2) }, { requiredKeys: [] });
    fc.assert(
      fc.property(wanted, fields, (filter, payload) => {
        const each = Object.entries(filter).map(([name, one]) => passes({ [name]: one }, { payload }));
        expect(passes(filter, { payload })).toBe(each.every(Boolean));
      }),
    );
  });
});
