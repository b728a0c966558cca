import type { Statement } from '../../platform/database/statement.js';
import { TRIED_HOURS } from '../domain/delivery.js';
import type { StoredSubscription } from '../domain/subscription.js';
import { hostOf } from './delivery-rows.js';

/** A stored subscription that has a webhook, as far as matching needs it. */
export type WebhookRow = Pick<StoredSubscription, 'id' | 'project_id' | 'topics' | 'filters' | 'from_pos'>;

const ENABLED = 's.webhook_url IS NOT NULL AND s.disabled_at IS NULL';

/** Is there any webhook, and where does the log end: at one moment, so that none wants what lies before. */
export const ANY_WEBHOOK = {
  name: 'fan-out-any',
  text: `
    SELECT EXISTS (SELECT FROM subscriptions s WHERE ${ENABLED}) AS "isWanted",
      (SELECT coalesce(max(e.pos), 0) FROM events e) AS "end"`,
};

/** Nobody wants anything up to $1. */
export const PASS_OVER = {
  name: 'fan-out-pass-over',
  text: `UPDATE relay_cursors SET pos = $1 WHERE name = 'webhooks' AND pos < $1`,
};

/** No row: another process is at it. */
export const LOCK_CURSOR = {
  name: 'fan-out-lock',
  text: `SELECT pos FROM relay_cursors WHERE name = 'webhooks' FOR UPDATE SKIP LOCKED`,
};

/** Tells whether the webhooks are still those that were read. */
export const WEBHOOKS_MARK = {
  name: 'fan-out-mark',
  text: `
    SELECT count(*) || ' ' || coalesce(sum(hashtextextended(s.project_id || ' ' || s.id || ' ' || s.created_at, 0)), 0) AS mark
    FROM subscriptions s WHERE ${ENABLED}`,
};

/** Rows: WebhookRow. */
export const WEBHOOKS = {
  name: 'fan-out-webhooks',
  text: `SELECT s.id, s.project_id, s.topics, s.filters, s.from_pos FROM subscriptions s WHERE ${ENABLED}`,
};

export function moveCursor(pos: number): Statement {
  return {
    name: 'fan-out-move',
    text: `UPDATE relay_cursors SET pos = $1 WHERE name = 'webhooks'`,
    values: [pos],
  };
}

/** An event, as it is sent to some subscriptions. */
export interface Outgoing {
  readonly eventId: string;
  /** JSON. */
  readonly body: string;
}

/** One of them, to one subscription. */
export interface Copy {
  readonly id: string;
  readonly webhook: Pick<WebhookRow, 'id' | 'project_id'>;
  /** Place of the event in the list. */
  readonly event: number;
}

/** Each body goes over the wire once, however many get it. A subscription that went meanwhile gets none. */
export function insertWebhooks(events: readonly Outgoing[], copies: readonly Copy[]): Statement {
  return {
    name: 'deliveries-insert-webhooks',
    text: `
      INSERT INTO deliveries (id, project_id, kind, subscription_id, event_id, webhook_id, url, host, agent_id, agent_project,
        body, status, attempt, next_attempt_at, give_up_at, created_at, updated_at)
      SELECT n.id, s.project_id, 'webhook', s.id, ($5::text[])[n.event], ($5::text[])[n.event] || '_' || s.id, s.webhook_url,
        ${hostOf('s.webhook_url')}, s.agent_id, s.agent_project, ($6::text[])[n.event], 'pending', 0, t.now,
        t.now + interval '${TRIED_HOURS} hours', t.now, t.now
      FROM unnest($1::text[], $2::text[], $3::text[], $4::int[]) AS n(id, subscription_id, project_id, event)
      CROSS JOIN (SELECT date_trunc('milliseconds', clock_timestamp()) AS now) t
      JOIN subscriptions s ON s.id = n.subscription_id AND s.project_id = n.project_id AND ${ENABLED}`,
    values: [
      copies.map(({ id }) => id),
      copies.map(({ webhook }) => webhook.id),
      copies.map(({ webhook }) => webhook.project_id),
      copies.map(({ event }) => event + 1),
      events.map(({ eventId }) => eventId),
      events.map(({ body }) => body),
    ],
  };
}
