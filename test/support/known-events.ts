import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { ENVELOPE, eventSchema } from '../../src/events/asyncapi-schemas.js';
import { EVENT_TYPES, type EventType } from '../../src/shared/event-types.js';
import type { TestApp } from './app.js';

/** Every event of an app's log is as /asyncapi.json says. For `afterAll`. @throws with those that are not, and why */
export async function assertKnownEvents(app: TestApp): Promise<void> {
  const ajv = new Ajv2020({ allErrors: true, strictTypes: false });
  addFormats.default(ajv);
  ajv.addSchema({ ...ENVELOPE, $id: 'envelope' });
  const checks = new Map(
    Object.entries<EventType>(EVENT_TYPES).map(([type, event]) => {
      const { allOf, ...rest } = eventSchema(type, event);
      const [, payload] = allOf as readonly [unknown, object];
      return [type, ajv.compile({ ...rest, allOf: [{ $ref: 'envelope' }, payload] })];
    }),
  );
  const token = await app.adminToken();
  const stray: object[] = [];
  for (let after = ''; ;) {
    const { body } = await app.http('GET', `/api/v1/events?limit=200${after}`, { token });
    const page = body as { items: { event_type: string }[]; next_cursor: string };
    if (page.items.length === 0) break;
    for (const event of page.items) {
      const check = checks.get(event.event_type);
      if (check?.(event) !== true) stray.push({ event, problems: check?.errors ?? 'is of no known type' });
    }
    after = `&after=${encodeURIComponent(page.next_cursor)}`;
  }
  if (stray.length > 0) throw new Error(JSON.stringify(stray, null, 2));
}
