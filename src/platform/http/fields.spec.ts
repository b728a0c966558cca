import { describe, expect, it } from '@jest/globals';
import { DomainError } from '../../shared/domain-error.js';
import {
  BooleanField,
  ChoiceField,
  IdField,
  IntField,
  JsonField,
  NestedField,
  NestedListField,
  NumberField,
  TextField,
  TextListField,
  TimeField,
} from './fields.js';
import { validated, ValidationPipe } from './validation.pipe.js';

class Policy {
  @IntField({ about: 'Attempts.', min: 1, max: 100, default: 3 })
  max_attempts: number;
}

class Stage {
  @TextField({ about: 'Name.', max: 20 })
  name: string;

  @NumberField({ about: 'Seconds.', min: 0, max: 10, optional: true })
  delay?: number;
}

class Named {
  @IdField({ about: 'Id.' })
  id: string;
}

class Order extends Named {
  @ChoiceField({ about: 'Urgency.', values: ['low', 'high'], default: 'low' })
  priority: string;

  @TimeField({ about: 'Due.', optional: true, nullable: true })
  due?: string | null;

  @BooleanField({ about: 'Loud.', optional: true })
  loud?: boolean;

  @JsonField({ about: 'Input.', optional: true })
  input?: Record<string, unknown>;

  @JsonField({ about: 'Facts.', optional: true, maxBytes: 20 })
  facts?: Record<string, unknown>;

  @TextListField({ about: 'Tags.', max: 2, maxLength: 5, optional: true })
  tags?: string[];

  @NestedField(() => Policy, { about: 'Policy.', optional: true })
  policy?: Policy;

  @NestedListField(() => Stage, { about: 'Stages.', max: 3, optional: true })
  stages?: Stage[];
}

class Filter {
  @IntField({ about: 'How many.', min: 1, max: 200, default: 50 })
  limit: number;

  @BooleanField({ about: 'All.', optional: true })
  all?: boolean;

  @TextListField({ about: 'Topics.', max: 5, maxLength: 20, optional: true })
  topics?: string[];
}

function violations(body: unknown): unknown {
  try {
    validated(Order, body);
  } catch (error) {
    return error instanceof DomainError ? error.details['errors'] : error;
  }
  return [];
}

describe('declared fields', () => {
  it('take what they declare, fill in defaults, and make nested objects instances of their classes', () => {
    const order = validated(Order, {
      id: 'o-1',
      due: null,
      policy: {},
      stages: [{ name: 'a', delay: 0.5 }],
      tags: ['x'],
    });
    expect(order).toBeInstanceOf(Order);
    expect(order).toEqual({
      id: 'o-1',
      priority: 'low',
      due: null,
      policy: { max_attempts: 3 },
      stages: [{ name: 'a', delay: 0.5 }],
      tags: ['x'],
    });
    expect(order.stages?.[0]).toBeInstanceOf(Stage);
  });

  it('hand free JSON through as the very object that was sent', () => {
    const input = { deep: [{ type: 1 }] };
    expect(validated(Order, { id: 'o-1', input }).input).toBe(input);
  });

  it('bound free JSON by its bytes, where they say so', () => {
    expect(violations({ id: 'o-1', facts: { text: 'x'.repeat(9) } })).toEqual([]);
    expect(violations({ id: 'o-1', facts: { text: 'é'.repeat(5) } })).toEqual([
      { path: '/facts', message: 'must be at most 20 bytes as JSON' },
    ]);
  });

  it('name every violation with a JSON pointer to its place', () => {
    const body = {
      priority: 'urgent',
      due: '2025-02-30T00:00:00Z',
      loud: 'true',
      input: [],
      tags: ['a', 7],
      policy: { max_attempts: '3', 'a/b': 1 },
      stages: [{ name: 'ok' }, { name: '' }, null],
      extra: 1,
    };
    expect(violations(body)).toEqual([
      { path: '/policy/a~1b', message: 'is not a field here' },
      { path: '/extra', message: 'is not a field here' },
      { path: '/priority', message: 'must be one of low, high' },
      { path: '/due', message: 'must be an ISO 8601 time such as 2025-01-15T14:30:00Z' },
      { path: '/loud', message: 'must be true or false' },
      { path: '/input', message: 'must be a JSON object' },
      { path: '/tags', message: 'item 1 must be a text' },
      { path: '/policy/max_attempts', message: 'must be a whole number from 1 to 100' },
      { path: '/stages', message: 'item 2 must be a JSON object' },
      { path: '/id', message: 'is required' },
    ]);
    expect(violations({ id: 'o-1', stages: [{ name: 'ok' }, { name: '' }] })).toEqual([
      { path: '/stages/1/name', message: 'must have 1 to 20 characters' },
    ]);
  });

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a list', []],
    ['a text', 'x'],
  ])('refuse %s as a body', (_, body) => {
    expect(violations(body)).toEqual([{ path: '', message: expect.any(String) }]);
  });

  it('refuse null where it is not declared, a list for an object and an object for a list', () => {
    expect(violations({ id: null, policy: [{}], stages: {} })).toEqual([
      { path: '/policy', message: 'must be a JSON object' },
      { path: '/stages', message: 'must be a list' },
      { path: '/id', message: 'must be a text' },
    ]);
  });

  it('count characters as JSON Schema does, not UTF-16 units', () => {
    expect(violations({ id: 'o-1', tags: ['😀'.repeat(5)] })).toEqual([]);
    expect(violations({ id: 'o-1', tags: ['😀'.repeat(6)] })).toEqual([
      { path: '/tags', message: 'item 0 must have 1 to 5 characters' },
    ]);
  });

  it.each([
    ['2025-01-15T14:30:00.123456789+05:45', true],
    ['9999-12-31T23:59:59.999Z', true],
    ['1000-01-01T00:00:00-14:59', true],
    ['2025-01-15T14:30:00+15:00', false],
    ['9999-12-31T23:59:59-00:01', false],
    ['0999-12-31T00:00:00Z', false],
    ['2025-02-30T00:00:00Z', false],
    ['2025-13-01T00:00:00Z', false],
    ['2025-01-15T24:00:00Z', false],
    ['2025-01-15T14:30:00', false],
    ['2025-01-15', false],
  ])('know %s as a time that Postgres can keep: %j', (due, isOne) => {
    expect(violations({ id: 'o-1', due })).toHaveLength(isOne ? 0 : 1);
  });

  it('refuse __proto__ in a query string as any field that is not declared', () => {
    const query = Object.fromEntries([['__proto__', ['a', 'b']]]);
    expect(() => validated(Filter, query, true)).toThrow('/__proto__: is not a field here');
  });

  it('read query strings by declared type', () => {
    const query = { limit: '7', all: 'false', topics: ['a,b', 'c'] };
    expect(validated(Filter, query, true)).toEqual({ limit: 7, all: false, topics: ['a', 'b', 'c'] });
    expect(() => validated(Filter, { limit: 'many' }, true)).toThrow(
      '/limit: must be a whole number from 1 to 200',
    );
    expect(() => validated(Filter, { limit: ['1', '2'] }, true)).toThrow('/limit');
    expect(() => validated(Filter, { topics: 'a\0' }, true)).toThrow(
      '/topics: must not hold a NUL character',
    );
  });
});

describe('the validation pipe', () => {
  const pipe = new ValidationPipe();

  it('leaves what is no DTO alone, but for NUL characters', () => {
    const body = { any: 'thing' };
    expect(pipe.transform(body, { type: 'body', metatype: Object })).toBe(body);
    expect(pipe.transform('t-1', { type: 'param', metatype: String, data: 'id' })).toBe('t-1');
    expect(() => pipe.transform('t\0', { type: 'param', metatype: String, data: 'id' })).toThrow('/id');
  });

  it('validates by the class of the argument', () => {
    expect(pipe.transform({ limit: '9' }, { type: 'query', metatype: Filter })).toBeInstanceOf(Filter);
    expect(() => pipe.transform({ limit: '9' }, { type: 'body', metatype: Filter })).toThrow('/limit');
  });
});
