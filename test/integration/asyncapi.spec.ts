import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Messages } from '../../src/events/index.js';
import { EVENT_TYPES } from '../../src/shared/event-types.js';
import { startApp, type TestApp } from '../support/app.js';

// The official parser reads the document in .ci/lint-asyncapi.mjs; that events are as it says, assertKnownEvents() looks at
// in the specs of tasks, workflows, agents and what they say to each other.
describe('the AsyncAPI document', () => {
  let app: TestApp;
  let document: AsyncApi;

  beforeAll(async () => {
    app = await startApp();
    document = (await app.http('GET', '/asyncapi.json')).body as AsyncApi;
  });
  afterAll(() => app.close());

  it('is of version 3.0, and says where the server is', () => {
    const { host } = new URL(app.url);
    expect(document).toMatchObject({
      asyncapi: '3.0.0',
      servers: { socket: { host, pathname: '/ws' }, stream: { host, pathname: '/api/v1/events/stream' } },
    });
  });

  it('has a channel, an operation and a schema for every type of events, and for every message of a socket', () => {
    const messages = app.app.get(Messages, { strict: false }).all();
    const names = [...Object.keys(EVENT_TYPES), ...messages.map(({ name }) => name)];
    expect(Object.keys(document.channels)).toEqual(expect.arrayContaining(names));
    for (const type of Object.keys(EVENT_TYPES)) {
      expect(document.operations[`tell-${type}`]).toMatchObject({ action: 'send' });
      expect(document.components.schemas).toHaveProperty([type]);
    }
    for (const { name } of messages)
      expect(document.operations[`take-${name}`]).toMatchObject({ action: 'receive' });
  });

  it('refers to nothing that it does not hold', () => {
    const missing = referencesIn(document).filter((path) => found(document, path) === undefined);
    expect(missing).toEqual([]);
  });

  it('is shown to people at /docs/events, which runs no script', async () => {
    const { status, headers, body } = await app.http('GET', '/docs/events');
    expect(status).toBe(200);
    expect(headers['content-type']).toContain('text/html');
    for (const type of Object.keys(EVENT_TYPES)) expect(body).toContain(`<h3>${type}</h3>`);
    expect(body).not.toContain('<script');
  });
});

interface AsyncApi {
  readonly channels: Record<string, unknown>;
  readonly operations: Record<string, unknown>;
  readonly components: { readonly schemas: Record<string, unknown> };
}

function referencesIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' ? [String(inner)] : referencesIn(inner),
  );
}

function found(document: unknown, path: string): unknown {
  return path
    .replace('#/', '')
    .split('/')
    .reduce<unknown>((place, name) => (place as Record<string, unknown> | undefined)?.[name], document);
}
