import type { LockMode } from '../../platform/database/batch.js';
import type { Statement } from '../../platform/database/statement.js';
import { NO_OUTAGE } from '../../platform/database/server-pulse.js';
import type { AgentRequest } from '../domain/request.js';

/** Where a request is: ids are unique per project. */
export interface RequestKey {
  readonly id: string;
  readonly projectId: string;
}

const WANTED = `unnest($1::text[], $2::text[]) AS k(id, project_id)
  JOIN requests r ON r.id = k.id AND r.project_id = k.project_id`;

const FIND = `SELECT r.* FROM ${WANTED}`;

const LOCK = `${FIND} ORDER BY r.id, r.project_id FOR UPDATE OF r`;

/** Rows: AgentRequest; those that do not exist, or are busy in mode `skip`, are missing. */
export function lockRequests(keys: readonly RequestKey[], mode: LockMode): Statement {
  const values = valuesOf(keys);
  return mode === 'skip'
    ? { name: 'requests-lock-free', text: `${LOCK} SKIP LOCKED`, values }
    : { name: 'requests-lock', text: LOCK, values };
}

/** Which of these there are, busy or not. Rows: id, project_id. */
export function existingRequests(keys: readonly RequestKey[]): Statement {
  return {
    name: 'requests-existing',
    text: `SELECT r.id, r.project_id FROM ${WANTED}`,
    values: valuesOf(keys),
  };
}

export function findRequests(keys: readonly RequestKey[]): Statement {
  return { name: 'requests-find', text: FIND, values: valuesOf(keys) };
}

/** An id over all projects, for tokens that see all. */
export const LOCATE_REQUEST = {
  name: 'requests-locate',
  text: 'SELECT r.project_id FROM requests r WHERE r.id = $1 ORDER BY r.project_id LIMIT 20',
};

const COLUMNS = `id text, project_id text, body_hash text, type text, source text, source_mailbox text, target text,
  mailbox text, correlation_id text, data json, timeout int, deadline_at timestamptz, callback_url text, status text,
  response json, seq bigint, created_at timestamptz, updated_at timestamptz, ended_at timestamptz`;
const NAMES = COLUMNS.split(',').map((column) => column.trim().split(' ', 1)[0] ?? '');

export function insertRequests(requests: readonly AgentRequest[]): Statement {
  return {
    name: 'requests-insert',
    text: `INSERT INTO requests (${NAMES.join(', ')})
      SELECT ${NAMES.join(', ')} FROM json_to_recordset($1::json) AS n(${COLUMNS}) ORDER BY id, project_id`,
    values: [JSON.stringify(requests)],
  };
}

/** Of requests whose rows are locked. */
export function endRequests(requests: readonly AgentRequest[]): Statement {
  const rows = requests.map(({ id, project_id, status, response, seq, ended_at }) => {
    return { id, project_id, status, response, seq, ended_at };
  });
  return {
    name: 'requests-end',
    text: `UPDATE requests r
      SET status = n.status, response = n.response, seq = n.seq, updated_at = n.ended_at, ended_at = n.ended_at
      FROM json_to_recordset($1::json)
        AS n(id text, project_id text, status text, response json, seq bigint, ended_at timestamptz)
      WHERE r.id = n.id AND r.project_id = n.project_id`,
    values: [JSON.stringify(rows)],
  };
}

const due = (now: string): string => `r.status = 'pending' AND r.deadline_at <= ${now} AND ${NO_OUTAGE}`;

export const ANY_DUE_REQUEST = {
  name: 'requests-any-due',
  // In a SELECT of its own the clock is read once, and an index can be asked for what it says.
  text: `SELECT 1 AS found FROM requests r WHERE ${due('(SELECT clock_timestamp())')} ORDER BY r.deadline_at LIMIT 1`,
};

/** $1 now, $2 rows. Rows: AgentRequest. */
export const LOCK_DUE_REQUESTS = {
  name: 'requests-lock-due',
  text: `SELECT r.* FROM requests r WHERE ${due('$1::timestamptz')} ORDER BY r.deadline_at LIMIT $2
    FOR UPDATE OF r SKIP LOCKED`,
};

/** An outage of ours is nobody's fault: it is added to every deadline. */
export const CREDIT_REQUESTS = {
  name: 'requests-credit',
  text: `UPDATE requests r SET deadline_at = r.deadline_at + make_interval(secs => $1::float8) WHERE r.status = 'pending'`,
};

function valuesOf(keys: readonly RequestKey[]): unknown[] {
  return [keys.map((key) => key.id), keys.map((key) => key.projectId)];
}
