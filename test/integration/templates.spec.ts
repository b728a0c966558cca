import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentsApi, type Answer, codeOf, idsOf, refusalOf } from '../support/agents-api.js';
import { startApp, type TestApp } from '../support/app.js';
import { createDatabase, type TestDatabase } from '../support/database.js';
import { until } from '../support/wait-for.js';

const LIST_OF_TEXTS = { type: 'array', items: { type: 'string' } };

describe('templates', () => {
  let app: TestApp;
  let api: AgentsApi;

  beforeAll(async () => {
    app = await startApp();
    api = await AgentsApi.of(app);
  });
  afterAll(() => app.close());

  const call = (method: string, path: string, body?: object, token?: string): Promise<Answer> =>
    api.call(method, path, body, token);
  const template = async (schema: object, more: object = {}): Promise<string> => {
    const answer = await call('POST', '/templates', { name: 'Test', input_schema: schema, ...more });
    if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    return String(answer.body['id']);
  };
  const task = (templateId: unknown, customizations?: unknown, more: object = {}): Promise<Answer> =>
    call('POST', '/tasks', {
      type: 'templated',
      input_data: { template_id: templateId, ...(customizations === undefined ? {} : { customizations }) },
      ...more,
    });

  describe('as resources', () => {
    it('are created, read, listed, changed and removed', async () => {
      const project = api.unique('project');
      const body = {
        id: 'vue-crud',
        project_id: project,
        name: 'Vue',
        agent_type: 'code_generation',
        input_schema: { type: 'object', required: ['entities'], properties: { entities: LIST_OF_TEXTS } },
        defaults: { entities: ['User'] },
      };
      const created = await call('POST', '/templates', body);
      expect(created).toMatchObject({ status: 201, body: { ...body, version: 1 } });
      expect(created.headers['location']).toBe('/api/v1/templates/vue-crud');
      const url = `/templates/vue-crud?project_id=${project}`;
      const read = await call('GET', url);
      expect(read).toMatchObject({ status: 200, body: created.body });
      expect(read.headers['x-event-cursor']).toEqual(expect.any(String));
      // As it was sent, in the order in which it was sent.
      expect(JSON.stringify(read.body['input_schema'])).toBe(JSON.stringify(body.input_schema));

      const changed = await call('PUT', url, { name: 'Vue 3', input_schema: {} });
      expect(changed).toMatchObject({
        status: 200,
        body: {
          name: 'Vue 3',
          version: 2,
          agent_type: null,
          defaults: {},
          created_at: created.body['created_at'],
        },
      });
      expect((await call('GET', url)).body).toEqual(changed.body);
      expect((await call('GET', `${url}&version=1`)).body).toEqual(created.body);
      expect(codeOf(await call('GET', `${url}&version=3`))).toBe('NOT_FOUND');

      const same = await call('PUT', url, { name: 'Vue 3', input_schema: {} });
      expect(same.body).toEqual(changed.body);

      expect((await call('DELETE', url)).status).toBe(204);
      for (const method of ['GET', 'DELETE']) expect((await call(method, url)).status).toBe(404);
      expect((await call('PUT', url, { name: 'x', input_schema: {} })).status).toBe(404);
    });

    it('take the id as an idempotency key', async () => {
      const body = { id: api.unique('keyed'), name: 'Test', input_schema: { type: 'object', title: 'a' } };
      const created = await call('POST', '/templates', body);
      expect(created.status).toBe(201);
      const again = await call('POST', '/templates', body);
      expect([again.status, again.body]).toEqual([200, created.body]);
      expect(codeOf(await call('POST', '/templates', { ...body, name: 'Other' }))).toBe('CONFLICT');
      const racing = { ...body, id: api.unique('raced') };
      const racers = await Promise.all(Array.from({ length: 5 }, () => call('POST', '/templates', racing)));
      expect(racers.filter(({ status }) => status === 201)).toHaveLength(1);
      expect(racers.filter(({ status }) => status === 200)).toHaveLength(4);
    });

    it('are changed by who has read the newest version, where he says which one he has read', async () => {
      const id = await template({});
      const url = `/templates/${id}`;
      const answers = await Promise.all(
        ['a', 'b'].map((name) => call('PUT', url, { name, input_schema: {}, version: 1 })),
      );
      expect(answers.map(({ status }) => status)).toContain(409);
      expect((await call('GET', url)).body['version']).toBe(2);
    });

    it('keep the 100 newest versions', async () => {
      const id = await template({});
      for (let n = 0; n < 101; n += 1)
        await call('PUT', `/templates/${id}`, { name: `${n}`, input_schema: {} });
      expect((await call('GET', `/templates/${id}?version=2`)).status).toBe(404);
      expect((await call('GET', `/templates/${id}?version=3`)).status).toBe(200);
      expect((await call('GET', `/templates/${id}`)).body['version']).toBe(102);
    });

    it('are listed newest first, page by page, by agent type, with the built-in ones', async () => {
      const project = api.unique('project');
      const token = await api.client(project, 'templates:read templates:write');
      for (const [id, type] of [
        ['one', 'x'],
        ['two', 'y'],
        ['three', 'x'],
      ])
        await call('POST', '/templates', { id, name: 'Test', agent_type: type, input_schema: {} }, token);
      const seen: unknown[] = [];
      for (let cursor = ''; ;) {
        const page = await call('GET', `/templates?limit=2${cursor}`, undefined, token);
        seen.push(...idsOf(page));
        const next = page.body['next_cursor'];
        if (typeof next !== 'string') break;
        cursor = `&cursor=${next}`;
      }
      expect(seen.slice(0, 3)).toEqual(['three', 'two', 'one']);
      expect(new Set(seen.slice(3))).toEqual(new Set(['express-api', 'react-crud-template']));
      expect(idsOf(await call('GET', '/templates?agent_type=x', undefined, token))).toEqual(['three', 'one']);
      expect(codeOf(await call('GET', '/templates?cursor=nonsense', undefined, token))).toBe(
        'VALIDATION_FAILED',
      );
    });

    it('belong to a project, and need their scopes', async () => {
      const mine = await api.client(api.unique('mine'), 'templates:read templates:write');
      const theirs = await api.client(api.unique('theirs'), 'templates:read templates:write tasks:write');
      const reader = await api.client('default', 'templates:read');
      await call('POST', '/templates', { id: 'secret', name: 'Test', input_schema: {} }, mine);
      expect((await call('GET', '/templates/secret', undefined, mine)).status).toBe(200);
      for (const method of ['GET', 'DELETE'])
        expect((await call(method, '/templates/secret', undefined, theirs)).status).toBe(404);
      expect(idsOf(await call('GET', '/templates', undefined, theirs))).not.toContain('secret');
      const used = { type: 'x', input_data: { template_id: 'secret' } };
      expect(codeOf(await call('POST', '/tasks', used, theirs))).toBe('INVALID_TEMPLATE');
      expect(codeOf(await call('POST', '/templates', { name: 'Test', input_schema: {} }, reader))).toBe(
        'FORBIDDEN',
      );
    });

    it('that are built in stay as they are, and a project may put its own in their place', async () => {
      const url = '/templates/express-api';
      expect((await call('GET', url)).body).toMatchObject({ id: 'express-api', project_id: '*', version: 1 });
      expect(codeOf(await call('DELETE', url))).toBe('CONFLICT');
      expect(codeOf(await call('PUT', url, { name: 'x', input_schema: {} }))).toBe('CONFLICT');

      const project = api.unique('project');
      const token = await api.client(project, 'templates:read templates:write tasks:write');
      const use = (): Promise<Answer> =>
        call('POST', '/tasks', { type: 'x', input_data: { template_id: 'express-api' } }, token);
      expect((await use()).status).toBe(201);
      const own = { id: 'express-api', name: 'Ours', input_schema: { required: ['port'] } };
      expect((await call('POST', '/templates', own, token)).status).toBe(201);
      expect((await call('GET', url, undefined, token)).body['name']).toBe('Ours');
      const listed = idsOf(await call('GET', '/templates', undefined, token));
      expect(listed.filter((id) => id === 'express-api')).toHaveLength(1);
      await until(async () => codeOf(await use()) === 'INVALID_TEMPLATE', { within: 1_000 });
      expect((await call('DELETE', url, undefined, token)).status).toBe(204);
      await until(async () => (await use()).status === 201, { within: 1_000 });
    });
  });

  describe('with a schema that cannot be used', () => {
    const deep = (levels: number): object => (levels === 0 ? { type: 'string' } : { not: deep(levels - 1) });
    const wide = Object.fromEntries(
      Array.from({ length: 4_000 }, (_, n) => [`member-${n}`, { type: 'string' }]),
    );

    it.each([
      ['a type that there is not', { type: 'objekt' }, '/input_schema/type'],
      ['a keyword that there is not', { properties: { a: { typo: 1 } } }, '/input_schema'],
      ['a format that there is not', { format: 'no-such' }, '/input_schema'],
      [
        'a limit out of range',
        { properties: { a: { minItems: -1 } } },
        '/input_schema/properties/a/minItems',
      ],
      ['a pattern that is none', { pattern: '(' }, '/input_schema'],
      ['a reference to elsewhere', { $ref: 'https://example.org/schema.json' }, '/input_schema'],
      ['a reference to a file', { $ref: 'file:///etc/passwd' }, '/input_schema'],
      ['a reference to nothing', { $ref: '#/$defs/none' }, '/input_schema'],
      [
        'references without end',
        { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' },
        '/input_schema',
      ],
      ['another dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }, '/input_schema/$schema'],
      ['an extension of the validator’s', { $async: true }, '/input_schema/$async'],
      ['more than 64 KiB', { properties: wide }, '/input_schema'],
      ['more levels than JSON may have', deep(40), ''],
    ])('are refused: %s', async (_what, schema, path) => {
      const answer = await call('POST', '/templates', { name: 'Test', input_schema: schema });
      expect(refusalOf(answer)).toEqual([400, 'VALIDATION_FAILED', { [path]: expect.any(String) }]);
    });

    it('are refused when it takes seconds to compile', async () => {
      const patternProperties = Object.fromEntries(Array.from({ length: 4_500 }, (_, n) => [`p${n}`, {}]));
      const schema = { patternProperties, additionalProperties: false };
      const answer = await call('POST', '/templates', {
        name: 'Test',
        input_schema: schema,
        project_id: 'slow',
      });
      expect(refusalOf(answer)).toEqual([
        400,
        'VALIDATION_FAILED',
        { '/input_schema': 'takes too long to compile' },
      ]);
    });
  });

  describe('of a task', () => {
    it('take the seed’s customizations as printed, and answer them as printed', async () => {
      const input = {
        template_id: 'react-crud-template',
        customizations: {
          entities: ['User', 'Product', 'Order'],
          authentication: 'jwt',
          database: 'postgresql',
        },
      };
      const created = await call('POST', '/tasks', { type: 'code_generation', input_data: input });
      expect(created.status).toBe(201);
      expect(created.body['input_data']).toEqual(input);
      expect(created.body['template_version']).toBe(1);
      expect((await task('express-api')).body['input_data']).toEqual({ template_id: 'express-api' });
      expect((await call('POST', '/tasks', { type: 'x' })).body['template_version']).toBeNull();
    });

    it.each([
      ['nothing', undefined, { '/input_data/customizations/entities': 'is required' }],
      ['no list', { entities: 'User' }, { '/input_data/customizations/entities': 'must be array' }],
      ['no object', 'User', { '/input_data/customizations': 'must be object' }],
      ['null', null, { '/input_data/customizations': 'must be object' }],
      [
        'wrong members, each at its place',
        { entities: ['User', 1, 'Order', {}], database: 7 },
        {
          '/input_data/customizations/entities/1': 'must be string',
          '/input_data/customizations/entities/3': 'must be string',
          '/input_data/customizations/database': 'must be string',
        },
      ],
    ])('refuse %s', async (_what, customizations, errors) => {
      const answer = await task('react-crud-template', customizations);
      expect(refusalOf(answer)).toEqual([400, 'INVALID_TEMPLATE', errors]);
    });

    it.each([
      ['that there is not', { template_id: 'no-such' }, '/input_data/template_id'],
      [
        'of a version that there is not',
        { template_id: 'express-api', template_version: 9 },
        '/input_data/template_version',
      ],
      [
        'of a version that is none',
        { template_id: 'express-api', template_version: '1' },
        '/input_data/template_version',
      ],
      ['that is no id', { template_id: ['express-api'] }, '/input_data/template_id'],
      ['that is a long text', { template_id: 'x'.repeat(10_000) }, '/input_data/template_id'],
    ])('are refused %s', async (_what, input, path) => {
      const answer = await call('POST', '/tasks', { type: 'x', input_data: input });
      expect(refusalOf(answer)).toEqual([400, 'INVALID_TEMPLATE', { [path]: expect.any(String) }]);
    });

    it('merge their defaults under what was given', async () => {
      const id = await template(
        { required: ['database'], properties: { database: { required: ['kind', 'port'] } } },
        { defaults: { database: { kind: 'postgresql', port: 5432 }, style: 'layered' } },
      );
      const created = await task(id, { database: { port: 5433 }, entities: ['User'] });
      expect(created.body['input_data']).toEqual({
        template_id: id,
        customizations: {
          database: { kind: 'postgresql', port: 5433 },
          style: 'layered',
          entities: ['User'],
        },
      });
      const nothing = await task(id);
      expect(nothing.body['input_data']).toMatchObject({ customizations: { style: 'layered' } });
      expect((await task(id, { style: null })).body['input_data']).toMatchObject({
        customizations: { style: null },
      });
    });

    it('say by which version a task was checked, to its agent too, and may be named with it', async () => {
      const type = api.unique('type');
      const id = await template({ required: ['a'] });
      await call('PUT', `/templates/${id}`, { name: 'Test', input_schema: { required: ['b'] } });
      const input = { template_id: id, customizations: { b: 1 } };
      const newest = await call('POST', '/tasks', { type, input_data: input });
      expect(newest.body['template_version']).toBe(2);
      const agent = await api.member({ type });
      const claim = await call('POST', `/agents/${agent.id}/claim`, { max_tasks: 1 }, agent.token);
      expect(claim.body['items']).toMatchObject([
        { id: newest.body['id'], template_version: 2, input_data: input },
      ]);

      const pinned = { ...input, template_version: 1 };
      expect(refusalOf(await call('POST', '/tasks', { type, input_data: pinned }))).toEqual([
        400,
        'INVALID_TEMPLATE',
        { '/input_data/customizations/a': 'is required' },
      ]);
      const older = await call('POST', '/tasks', {
        type,
        input_data: { ...pinned, customizations: { a: 1 } },
      });
      expect(older).toMatchObject({ status: 201, body: { template_version: 1 } });
    });

    it('do not refuse a task that is stored already', async () => {
      const id = await template({ properties: { a: { type: 'number' } } });
      const more = { id: api.unique('stored') };
      const created = await task(id, { a: 1 }, more);
      expect(created.status).toBe(201);
      await call('PUT', `/templates/${id}`, {
        name: 'Test',
        input_schema: { properties: { a: { type: 'string' } } },
      });
      await until(async () => codeOf(await task(id, { a: 1 })) === 'INVALID_TEMPLATE', { within: 1_000 });
      const again = await task(id, { a: 1 }, more);
      expect([again.status, again.body]).toEqual([200, created.body]);
      await call('DELETE', `/templates/${id}`);
      await until(async () => codeOf(await task(id, { a: '' })) === 'INVALID_TEMPLATE', { within: 1_000 });
      expect((await task(id, { a: 1 }, more)).status).toBe(200);
    });

    it('are looked up once for a batch, which says which of its tasks is wrong', async () => {
      const id = await template({ required: ['a'] }, { defaults: { b: 2 } });
      const one = (customizations: object): object => ({
        type: 'x',
        input_data: { template_id: id, customizations },
      });
      const batch = Array.from({ length: 200 }, (_, n) => one({ a: n }));
      const created = await call('POST', '/tasks/batch', { tasks: batch });
      expect(created.status).toBe(201);
      const items = created.body['items'] as { input_data: unknown; template_version: number }[];
      expect(items[7]).toMatchObject({ template_version: 1, input_data: { customizations: { a: 7, b: 2 } } });
      const refused = await call('POST', '/tasks/batch', { tasks: [one({ a: 1 }), { type: 'x' }, one({})] });
      expect(refusalOf(refused)).toEqual([
        400,
        'INVALID_TEMPLATE',
        { '/tasks/2/input_data/customizations/a': 'is required' },
      ]);
    });

    it('may be named by the stages of a workflow', async () => {
      const type = api.unique('stage');
      const id = await template({ required: ['a'] }, { defaults: { b: 2 } });
      const workflow = (customizations: object): object => ({
        id: `${type}-workflow`,
        name: 'Staged',
        stages: [
          { name: 'plain', agent_type: type },
          { name: 'made', agent_type: type, input: { template_id: id, customizations, note: 'kept' } },
        ],
      });
      expect(refusalOf(await call('POST', '/workflows', workflow({})))).toEqual([
        400,
        'INVALID_TEMPLATE',
        { '/stages/1/input/customizations/a': 'is required' },
      ]);
      expect((await call('POST', '/workflows', workflow({ a: 1 }))).status).toBe(201);
      const { body } = await call('GET', `/tasks?type=${type}`);
      const made = (
        body['items'] as { template_version: number | null; input_data: { input: unknown } }[]
      ).find((item) => item.template_version !== null);
      expect(made).toMatchObject({ template_version: 1 });
      expect(made?.input_data.input).toEqual({
        template_id: id,
        customizations: { a: 1, b: 2 },
        note: 'kept',
      });
      await call('DELETE', `/templates/${id}`);
      expect((await call('POST', '/workflows', workflow({ a: 1 }))).status).toBe(200);
    });

    it('know a member of the value from one of JavaScript’s objects', async () => {
      const id = await template({ required: ['toString', 'valueOf'] });
      expect(refusalOf(await task(id, { valueOf: 1 }))).toEqual([
        400,
        'INVALID_TEMPLATE',
        { '/input_data/customizations/toString': 'is required' },
      ]);
    });

    it('see nothing of what another schema names by the same $id', async () => {
      const schema = (type: string): object => ({
        $id: 'urn:example:same',
        properties: { a: { $ref: '#/$defs/it' } },
        $defs: { it: { $id: 'urn:example:it', type } },
      });
      const [texts, numbers] = [await template(schema('string')), await template(schema('number'))];
      expect((await task(texts, { a: 'x' })).status).toBe(201);
      expect((await task(numbers, { a: 1 })).status).toBe(201);
      expect(codeOf(await task(numbers, { a: 'x' }))).toBe('INVALID_TEMPLATE');
    });
  });
});

describe('a template that changes on another instance', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createDatabase();
  });
  afterAll(() => database.drop());

  /** Two instances, and how long it took the second one to see what the first one was told. */
  async function seenAfter(env: Record<string, string>): Promise<number> {
    const apps = await Promise.all([startApp({ database, env }), startApp({ database, env })]);
    try {
      const [here, there] = await Promise.all(apps.map((app) => AgentsApi.of(app)));
      if (here === undefined || there === undefined) throw new Error('two instances');
      const id = `shared-${Object.keys(env).length}`;
      const use = (api: AgentsApi): Promise<Answer> =>
        api.call('POST', '/tasks', { type: 'x', input_data: { template_id: id, customizations: { a: 1 } } });
      const put = (type: string): object => ({ name: 'x', input_schema: { properties: { a: { type } } } });
      expect((await here.call('POST', '/templates', { id, ...put('number') })).status).toBe(201);
      for (const api of [here, there]) expect((await use(api)).status).toBe(201);
      expect((await here.call('PUT', `/templates/${id}`, put('string'))).status).toBe(200);
      const since = performance.now();
      await until(async () => codeOf(await use(there)) === 'INVALID_TEMPLATE', { within: 10_000 });
      return performance.now() - since;
    } finally {
      await Promise.all(apps.map((app) => app.close()));
    }
  }

  it('is used there within a second', async () => {
    expect(await seenAfter({ DATABASE_URL: database.url })).toBeLessThan(1_000);
  });

  it('is used there within seconds even if nobody is told', async () => {
    // Without DATABASE_URL an instance takes itself for the only one, and tells no other.
    const ms = await seenAfter({});
    expect(ms).toBeGreaterThan(1_000);
    expect(ms).toBeLessThan(8_000);
  });
});
