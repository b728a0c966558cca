import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Answer, codeOf, refusalOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';

const BACKTRACKS = '^(a+)+$';
const TRAP = `${'a'.repeat(60)}!`;

describe('a hostile template', () => {
  let app: TestApp;
  let api: AgentsApi;

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
  });
  afterAll(() => app.close());

  /** A project of its own, with a task for each of its templates. */
  async function intruder(schema: object): Promise<(customizations: unknown) => Promise<Answer>> {
    const token = await api.client(api.unique('intruder'), 'templates:write tasks:write');
    const body = { id: 'trap', name: 'Trap', input_schema: schema };
    expect((await api.call('POST', '/templates', body, token)).status).toBe(201);
    return (customizations) =>
      api.call('POST', '/tasks', { type: 'x', input_data: { template_id: 'trap', customizations } }, token);
  }
  const $defs = Object.fromEntries(
    Array.from({ length: 40 }, (_, n) => [
      `d${n}`,
      n === 39
        ? { type: 'string' }
        : { allOf: [{ $ref: `#/$defs/d${n + 1}` }, { $ref: `#/$defs/d${n + 1}` }] },
    ]),
  );

  it.each([
    ['a pattern that backtracks', { items: { pattern: BACKTRACKS } }, [TRAP]],
    ['a pattern of members that backtracks', { patternProperties: { [BACKTRACKS]: {} } }, { [TRAP]: 1 }],
    ['a pattern of names that backtracks', { propertyNames: { pattern: BACKTRACKS } }, { [TRAP]: 1 }],
    ['references that multiply', { $defs, $ref: '#/$defs/d0' }, 'x'],
    ['references that multiply, and fail each time', { $defs, $ref: '#/$defs/d0' }, 1],
    [
      'a list of 100,000 that are compared with each other',
      { uniqueItems: true },
      Array.from({ length: 100_000 }, (_, n) => n),
    ],
    ['references without end', { $ref: '#' }, 1],
  ])('holds up nobody but itself: %s', async (_what, schema, customizations) => {
    const attack = await intruder(schema);
    const attacks = Promise.all([attack(customizations), attack(customizations)]);
    const since = performance.now();
    // Others are served meanwhile, and their templates are checked behind it.
    expect((await app.http('GET', '/health/live')).status).toBe(200);
    expect(performance.now() - since).toBeLessThan(5_000);
    const input = { template_id: 'react-crud-template', customizations: { entities: ['User'] } };
    const other = await api.call('POST', '/tasks', { type: 'x', input_data: input });
    expect(other.status).toBe(201);
    for (const answer of await attacks) {
      expect(refusalOf(answer)).toEqual([
        400,
        'INVALID_TEMPLATE',
        { '/input_data/customizations': expect.stringMatching(/takes too long|without end/) },
      ]);
    }
    expect(performance.now() - since).toBeLessThan(20_000);
  });

  it('has its share of the time, and then is told to come back', async () => {
    const attack = await intruder({ pattern: BACKTRACKS });
    const answers: Answer[] = [];
    for (let n = 0; n < 20; n += 1) answers.push(await attack(TRAP));
    const last = answers.at(-1);
    expect(last).toMatchObject({ status: 429, body: { error: { code: 'RATE_LIMIT_EXCEEDED' } } });
    expect(Number(last?.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('cannot break out of its schema', async () => {
    const names = [
      '"];process.exit(7)//',
      "'+process.exit(7)+'",
      '`${process.exit(7)}`',
      '\u2028process.exit(7)',
      '*/process.exit(7)/*',
    ];
    const attack = await intruder({
      required: names,
      properties: Object.fromEntries(names.map((name) => [name, { const: name, description: name }])),
      patternProperties: Object.fromEntries(
        names.map((_, n) => [`^[${n}]"\\];process\\.exit`, { type: 'string' }]),
      ),
      $comment: '*/ process.exit(7) //\n process.exit(7)',
      dependentRequired: { [String(names[0])]: names },
      additionalProperties: false,
    });
    expect((await attack(Object.fromEntries(names.map((name) => [name, name])))).status).toBe(201);
    expect(codeOf(await attack(Object.fromEntries(names.map((name) => [name, 1]))))).toBe('INVALID_TEMPLATE');
  });
});
