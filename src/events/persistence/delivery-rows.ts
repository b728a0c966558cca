import type { Statement } from '../../platform/database/statement.js';
import { TRIED_HOURS, type Verdict } from '../domain/delivery.js';
import type { Signer } from '../webhook-secrets.port.js';

/** A delivery as it is tried. */
export interface DueDelivery {
  readonly id: string;
  readonly project_id: string;
  readonly kind: 'callback' | 'webhook';
  readonly subscription_id: string | null;
  readonly webhook_id: string;
  readonly url: string;
  readonly host: string;
  readonly agent_id: string;
  readonly agent_project: string;
  readonly body: string;
  /** The number of this try. */
  readonly attempt: number;
  /** Why there is nothing to be sent any more; null: there is. */
  readonly obstacle: string | null;
}

/** A try that is not over after so many seconds was that of a process which died: far longer than a call takes. */
const LOST_AFTER = 30;

/** Of a URL, in SQL; one that cannot be read is called by nobody. */
export const hostOf = (url: string): string => `coalesce(nullif(lower(split_part(${url}, '/', 3)), ''), '-')`;

const NOW = `date_trunc('milliseconds', clock_timestamp())`;

/**
 * Takes what is due, each for one try of this process: goes from host to host, beginning after host $1, and takes as many
 * of each as it has room for ($3, $4: hosts and their room; $5: room of all others), $2 in all. Rows: DueDelivery.
 */
export const TAKE_DUE = {
  name: 'deliveries-take-due',
  text: `
    WITH RECURSIVE hosts AS (
      (SELECT d.host FROM deliveries d WHERE d.status = 'pending' AND d.host > $1 ORDER BY d.host LIMIT 1)
      UNION ALL
      SELECT next.host FROM hosts h CROSS JOIN LATERAL (
        SELECT d.host FROM deliveries d WHERE d.status = 'pending' AND d.host > h.host ORDER BY d.host LIMIT 1) next
    ), due AS (
      SELECT one.* FROM hosts h
      LEFT JOIN unnest($3::text[], $4::int[]) AS busy(host, room) ON busy.host = h.host
      CROSS JOIN LATERAL (
        SELECT d.id, d.project_id, d.subscription_id FROM deliveries d
        WHERE d.status = 'pending' AND d.host = h.host AND d.next_attempt_at <= (SELECT clock_timestamp())
        ORDER BY d.next_attempt_at LIMIT coalesce(busy.room, $5) FOR UPDATE SKIP LOCKED) one
      LIMIT $2)
    UPDATE deliveries d SET attempt = d.attempt + 1, updated_at = ${NOW},
      next_attempt_at = ${NOW} + interval '${LOST_AFTER} seconds'
    FROM due LEFT JOIN subscriptions s ON s.id = due.subscription_id AND s.project_id = due.project_id
    WHERE d.id = due.id AND d.project_id = due.project_id
    RETURNING d.id, d.project_id, d.kind, d.subscription_id, d.webhook_id, d.url, d.host, d.agent_id, d.agent_project,
      d.body, d.attempt, CASE WHEN d.kind = 'webhook' AND s.id IS NULL THEN 'its subscription was removed'
        WHEN s.disabled_at IS NOT NULL THEN 'its subscription is disabled: ' || s.disabled_reason END AS obstacle`,
};

/** Writes what a try came to, unless it was taken for lost. Rows: status, next_attempt_at. */
export function settleTry({ id, project_id, attempt }: DueDelivery, verdict: Verdict): Statement {
  return {
    name: 'delivery-settle',
    text: `
      UPDATE deliveries d SET status = n.status, updated_at = n.now, last_status = $5,
        next_attempt_at = CASE WHEN n.status = 'pending' THEN n.at END,
        delivered_at = CASE WHEN n.status = 'delivered' THEN n.now END,
        last_error = CASE WHEN n.status = $4 THEN $6 ELSE $6 || '; given up after ${TRIED_HOURS} hours' END
      FROM (
        SELECT o.id, o.project_id, t.now, t.now + make_interval(secs => $7::float8) AS at,
          CASE WHEN $4 = 'pending' AND t.now + make_interval(secs => $7::float8) > o.give_up_at THEN 'failed' ELSE $4 END AS status
        FROM (SELECT ${NOW} AS now) t CROSS JOIN deliveries o WHERE o.id = $1 AND o.project_id = $2) n
      WHERE d.id = n.id AND d.project_id = n.project_id AND d.attempt = $3 AND d.status = 'pending'
      RETURNING d.status, d.next_attempt_at`,
    values: [
      id,
      project_id,
      attempt,
      verdict.status,
      verdict.code,
      verdict.status === 'delivered' ? null : verdict.error,
      verdict.status === 'pending' ? verdict.delay : 0,
    ],
  };
}

/** A try that this process could not end: it was none, and another process makes it. */
export function handBack({ id, project_id, attempt }: DueDelivery): Statement {
  return {
    name: 'delivery-hand-back',
    text: `
      UPDATE deliveries SET attempt = attempt - 1, next_attempt_at = ${NOW}
      WHERE id = $1 AND project_id = $2 AND attempt = $3 AND status = 'pending'`,
    values: [id, project_id, attempt],
  };
}

/** Nothing is sent to a subscription's webhook any more, for a reason that is told. Rows: its id; none when it was so before. */
export function disableSubscription(id: string, projectId: string, reason: string): Statement {
  return {
    name: 'subscription-disable',
    text: `
      UPDATE subscriptions SET disabled_at = ${NOW}, disabled_reason = $3
      WHERE id = $1 AND project_id = $2 AND disabled_at IS NULL
      RETURNING id`,
    values: [id, projectId, reason],
  };
}

/** What waits for a subscription's webhook has failed with it: as much as one statement should write; the rest when it is due. */
export function failPending(subscriptionId: string, projectId: string, reason: string): Statement {
  return {
    name: 'deliveries-fail-pending',
    text: `
      UPDATE deliveries d SET status = 'failed', next_attempt_at = NULL, updated_at = ${NOW}, last_error = $3
      FROM (
        SELECT p.id, p.project_id FROM deliveries p
        WHERE p.subscription_id = $1 AND p.project_id = $2 AND p.status = 'pending'
        ORDER BY p.created_at DESC, p.id DESC LIMIT 1000 FOR UPDATE SKIP LOCKED) pending
      WHERE d.id = pending.id AND d.project_id = pending.project_id`,
    values: [subscriptionId, projectId, `its subscription is disabled: ${reason}`],
  };
}

/** The outcome of a request that named an absolute `callback_url`. */
export interface Callback {
  /** Of the delivery, a UUIDv7; made before the transaction is tried. */
  readonly id: string;
  readonly projectId: string;
  readonly requestId: string;
  readonly url: string;
  /** The agent that asked: its secret signs. */
  readonly signer: Signer;
  /** JSON. */
  readonly body: string;
}

/** To be written in the transaction that ends the requests, in one statement for all of them. */
export function insertCallbacks(callbacks: readonly Callback[]): Statement {
  return {
    name: 'deliveries-insert-callbacks',
    text: `
      INSERT INTO deliveries (id, project_id, kind, request_id, webhook_id, url, host, agent_id, agent_project, body, status,
        attempt, next_attempt_at, give_up_at, created_at, updated_at)
      SELECT n.id, n.project_id, 'callback', n.request_id, n.id, n.url, ${hostOf('n.url')}, n.agent_id,
        n.agent_project, n.body, 'pending', 0, t.now, t.now + interval '${TRIED_HOURS} hours', t.now, t.now
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
        AS n(id, project_id, request_id, url, agent_id, agent_project, body)
      CROSS JOIN (SELECT ${NOW} AS now) t`,
    values: [
      callbacks.map(({ id }) => id),
      callbacks.map(({ projectId }) => projectId),
      callbacks.map(({ requestId }) => requestId),
      callbacks.map(({ url }) => url),
      callbacks.map(({ signer }) => signer.id),
      callbacks.map(({ signer }) => signer.projectId),
      callbacks.map(({ body }) => body),
    ],
  };
}

/** Drops $1 of those that ended and were made more than $2 days ago. */
export const DROP_OLD = {
  name: 'deliveries-drop-old',
  text: `
    DELETE FROM deliveries d USING (
      SELECT o.id, o.project_id FROM deliveries o
      WHERE o.created_at < (SELECT clock_timestamp()) - make_interval(days => $2::int) AND o.status <> 'pending'
      ORDER BY o.created_at, o.id LIMIT $1 FOR UPDATE SKIP LOCKED) old
    WHERE d.id = old.id AND d.project_id = old.project_id RETURNING 1`,
};
