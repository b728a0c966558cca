import { bytesOf } from '../../platform/database/json-size.js';
import type { Statement } from '../../platform/database/statement.js';
import type { Floor } from '../claim-floors.js';
import type { Task } from '../domain/task.js';
import type { Route } from '../routes.js';

/** An agent that asks for work in this batch. */
export interface Want {
  readonly agentId: string;
  readonly agentProject: string;
  readonly sessionEpoch: number;
  /** Tasks it asks for. */
  want: number;
  /** Tasks it may hold in all. */
  readonly capacity: number;
}

/** What a want came to: one row per picked task, or one whose `id` is null. */
export type ClaimedRow = WantRow & (Task | { readonly id: null });

interface WantRow {
  /** The want's index, from 1. */
  readonly want_index: number;
  /** What its agent could hold more, before this claim. */
  readonly room: number;
  /** There was more to claim than one statement hands out. */
  readonly is_cut: boolean;
}

/** Tasks that one statement hands out, at most; and a batch, in bytes of what they carry, but for the first of each. */
const AT_ONCE = 256;
const BYTES_AT_ONCE = 16 * 1024 * 1024;

/**
 * Claims for agents whose routes are the same. Each agent's free capacity is counted after this batch's own writes,
 * under the agents' locks. Rows are picked once over all routes, in claim order, and dealt round robin: a LATERAL per
 * agent would give the same rows to each, as one does not skip one's own locks. What is too large together stays where it
 * is, and is claimed next.
 */
const claim = (picked: string): string => `
    WITH wants AS (
      SELECT w.ord, w.agent_id, w.agent_project, w.epoch, w.want, w.capacity - held.n AS room
      FROM unnest($1::text[], $2::text[], $3::int[], $4::int[], $5::int[]) WITH ORDINALITY
        AS w(agent_id, agent_project, epoch, want, capacity, ord)
      CROSS JOIN LATERAL (
        SELECT count(*)::int AS n FROM tasks h
        WHERE h.assigned_agent = w.agent_id AND h.agent_project = w.agent_project
          AND h.status IN ('assigned', 'in_progress')) held
    ), slots AS (
      SELECT row_number() OVER (ORDER BY s.round, w.ord) AS n, w.* FROM wants w, generate_series(1, least(w.want, w.room)) AS s(round)
    ), ${picked}, dealt AS (
      SELECT p.id, p.project_id, row_number() OVER in_order AS n, sum(p.bytes) OVER in_order - p.bytes < $10 AS has_room
      FROM picked p WINDOW in_order AS (ORDER BY p.rank, p.vtime, p.id)
    ), claimed AS (
      UPDATE tasks t SET
        status = 'assigned', claimable = false, available_at = NULL, progress = NULL,
        attempt = t.attempt + 1, seq = t.seq + 1,
        assigned_agent = s.agent_id, agent_project = s.agent_project, session_epoch = s.epoch,
        assigned_at = $8::timestamptz, updated_at = $8::timestamptz,
        lease_until = $8::timestamptz + make_interval(secs => $9::int),
        deadline_at = $8::timestamptz + make_interval(secs => t.timeout),
        check_at = $8::timestamptz + make_interval(secs => least($9::int, t.timeout))
      FROM dealt d JOIN slots s ON s.n = d.n
      WHERE t.id = d.id AND t.project_id = d.project_id AND d.has_room
      RETURNING s.ord, t.*
    )
    SELECT w.ord::int AS want_index, w.room,
      (SELECT count(*) FROM slots) > ${AT_ONCE} OR EXISTS (SELECT FROM dealt d WHERE NOT d.has_room) AS is_cut, c.*
    FROM wants w LEFT JOIN claimed c ON c.ord = w.ord`;

const pick = (routes: string, from: string): string => `
      SELECT p.* FROM ${routes}
      CROSS JOIN LATERAL (
        SELECT t.id, t.project_id, t.rank, t.vtime,
          ${bytesOf('t.input_data')} + ${bytesOf('t.output_data')} + ${bytesOf('t.metadata')} AS bytes
        FROM tasks t
        WHERE t.project_id = r.project_id AND t.route = r.route AND t.claimable ${from}
        ORDER BY t.rank, t.vtime, t.id LIMIT (SELECT least(count(*), ${AT_ONCE}) FROM slots)
        FOR UPDATE SKIP LOCKED) p`;

const ROUTES = 'unnest($6::text[], $7::int[]) AS r(project_id, route)';

const CLAIM = { name: 'tasks-claim', text: claim(`picked AS (${pick(ROUTES, '')})`) };

/** From a floor on; where nothing stands behind it, from the beginning. */
const CLAIM_FROM_FLOOR = {
  name: 'tasks-claim-floor',
  text: claim(`
    behind AS (${pick(
      'unnest($6::text[], $7::int[], $11::smallint[], $12::bigint[]) AS r(project_id, route, rank, vtime)',
      'AND (t.rank, t.vtime) >= (r.rank, r.vtime)',
    )}
    ), before AS (${pick(`(SELECT * FROM ${ROUTES} WHERE NOT EXISTS (SELECT FROM behind)) AS r`, '')}
    ), picked AS (SELECT * FROM behind UNION ALL SELECT * FROM before)`),
};

/** @param share of what a batch hands out in bytes; 1 for all */
export function claimTasks(
  wants: readonly Want[],
  routes: readonly Route[],
  {
    now,
    leaseSeconds,
    share,
  }: { readonly now: string; readonly leaseSeconds: number; readonly share: number },
  floors?: readonly Floor[],
): Statement {
  return {
    ...(floors === undefined ? CLAIM : CLAIM_FROM_FLOOR),
    values: [
      wants.map((want) => want.agentId),
      wants.map((want) => want.agentProject),
      wants.map((want) => want.sessionEpoch),
      wants.map((want) => want.want),
      wants.map((want) => want.capacity),
      routes.map((route) => route.project_id),
      routes.map((route) => route.id),
      now,
      leaseSeconds,
      Math.floor(BYTES_AT_ONCE * share),
      ...(floors === undefined
        ? []
        : [floors.map((floor) => floor.rank), floors.map((floor) => floor.vtime)]),
    ],
  };
}

/** How many tasks can be claimed on each of some routes, counted up to 100; routes without any are left out. */
export const WORK_ON_ROUTES = {
  name: 'tasks-work-on-routes',
  text: `
    SELECT r.route, work.n FROM unnest($1::text[], $2::int[]) AS r(project_id, route)
    CROSS JOIN LATERAL (
      SELECT count(*)::int AS n FROM (
        SELECT 1 FROM tasks t WHERE t.project_id = r.project_id AND t.route = r.route AND t.claimable LIMIT 100) bounded) work
    WHERE work.n > 0`,
};
