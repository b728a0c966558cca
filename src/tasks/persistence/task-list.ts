import { createHash } from 'node:crypto';
import type { Statement } from '../../platform/database/statement.js';
import type { PageKey } from '../../platform/http/page.js';

/** Which tasks are meant; what is left out does not filter. */
export interface TaskFilter {
  readonly status?: string;
  readonly type?: string;
  readonly assigned_agent?: string;
  readonly parent_workflow_id?: string;
  readonly priority?: string;
  readonly correlation_id?: string;
  /** Of the error that a failed task ended with. */
  readonly error_code?: string;
  readonly created_after?: string;
  readonly created_before?: string;
  readonly ended_after?: string;
  readonly ended_before?: string;
}

/**
 * Filters that no index knows: an index costs every task at each of its steps. They look through the newest rows that the
 * other filters leave, so many at most; where that is not enough for a page, the next page goes on behind them.
 */
const LOOKED_THROUGH = 20_000;

const INDEXED = {
  status: 't.status = $',
  parent_workflow_id: 't.parent_workflow_id = $',
  error_code: `t.status = 'failed' AND t.error ->> 'code' = $`,
  correlation_id: 't.correlation_id = $',
  created_after: 't.created_at > $::timestamptz',
  created_before: 't.created_at < $::timestamptz',
} as const;

const LOOKED_AT = {
  type: 't.type = $',
  assigned_agent: 't.assigned_agent = $',
  priority: 't.priority = $',
  ended_after: 't.ended_at > $::timestamptz',
  ended_before: 't.ended_at < $::timestamptz',
} as const;

const LIMITS = [51, 201];

const NEWEST_FIRST = 'ORDER BY t.created_at DESC, t.id DESC';

/** Each project's newest, since the index leads with the project: found by stepping from project to project. */
const OF_ALL = (rows: string): string => `
  WITH RECURSIVE projects AS (
    (SELECT t.project_id FROM tasks t ORDER BY t.project_id LIMIT 1)
    UNION ALL
    SELECT next.project_id FROM projects p CROSS JOIN LATERAL (
      SELECT t.project_id FROM tasks t WHERE t.project_id > p.project_id ORDER BY t.project_id LIMIT 1) next)
  SELECT t.* FROM projects p CROSS JOIN LATERAL (${rows}) t`;

/** A list as SQL: one text per combination of filters, so that the planner sees which index serves. */
export class TaskList {
  private readonly values: unknown[] = [];
  private readonly indexed: string[] = [];
  private readonly looked: string[] = [];
  private readonly names: string[] = [];
  private readonly ofIndexed: number;

  /**
   * @param projectId null: of all projects
   * @param from the key behind which it begins
   */
  constructor(
    private readonly projectId: string | null,
    filter: TaskFilter,
    from?: PageKey,
  ) {
    this.indexed.push(
      projectId === null ? 't.project_id = p.project_id' : `t.project_id = ${this.value(projectId)}`,
    );
    this.names.push(projectId === null ? 'all' : 'one');
    this.add(INDEXED, filter, this.indexed);
    if (from !== undefined) {
      this.names.push('from');
      const key = `${this.value(from.createdAt)}::timestamptz, ${this.value(from.id)}::text`;
      this.indexed.push(`(t.created_at, t.id) < (${key})`);
    }
    this.ofIndexed = this.values.length;
    this.add(LOOKED_AT, filter, this.looked);
  }

  /** Has it filters that no index knows? */
  get looksThrough(): boolean {
    return this.looked.length > 0;
  }

  /** At least the first `limit` rows, newest first, if there are so many. Rows: Task, or `columns` of it. */
  rows(limit: number, columns: 't.*' | 't.id, t.created_at' = 't.*'): Statement {
    const source = this.source();
    const rows = this.looksThrough
      ? `SELECT t.* FROM (${source} ${NEWEST_FIRST} LIMIT ${LOOKED_THROUGH}) t WHERE ${this.looked.join(' AND ')}`
      : source;
    // Few limits make few statements; and the planner is told how few rows are wanted.
    const most = LIMITS.find((one) => limit <= one) ?? limit;
    const text = `SELECT ${columns} FROM (${this.ordered(rows, most)}) t ${NEWEST_FIRST}`;
    return { name: this.nameOf(`${columns} ${most}`), text, values: this.values };
  }

  /** The row at which the look had to end, if it had to. Rows: id, created_at. */
  end(): Statement {
    const rows = `${this.source()} ${NEWEST_FIRST} OFFSET ${LOOKED_THROUGH - 1} LIMIT 1`;
    const text = `SELECT t.id, t.created_at FROM (${this.ordered(rows, 1)}) t`;
    return { name: this.nameOf('end'), text, values: this.values.slice(0, this.ofIndexed) };
  }

  /** How many there are, counted to a limit. One row: n. Of one project only. */
  count(limit: number): Statement {
    const where = this.looked.length === 0 ? '' : `WHERE ${this.looked.join(' AND ')}`;
    const text = `SELECT count(*)::int AS n FROM (SELECT 1 FROM (${this.source()}) t ${where} LIMIT ${limit}) counted`;
    return { name: this.nameOf('count'), text, values: this.values };
  }

  private ordered(rows: string, limit: number): string {
    if (this.projectId !== null) return `SELECT t.* FROM (${rows}) t ${NEWEST_FIRST} LIMIT ${limit}`;
    return `${OF_ALL(`SELECT t.* FROM (${rows}) t ${NEWEST_FIRST} LIMIT ${limit}`)} ${NEWEST_FIRST} LIMIT ${limit}`;
  }

  /** Names of prepared statements are cut at 63 characters. */
  private nameOf(what: string): string {
    const filters = createHash('sha1').update(this.names.join(' ')).digest('base64url');
    return `tasks-list ${filters} ${what}`;
  }

  /** A task whose correlation id is its own id is not in the index: it is found by its key. */
  private source(): string {
    const where = this.indexed.join(' AND ');
    if (!this.names.includes('correlation_id')) return `SELECT t.* FROM tasks t WHERE ${where}`;
    return `SELECT t.* FROM (
      SELECT t.* FROM tasks t WHERE ${where} AND t.correlation_id <> t.id
      UNION ALL
      SELECT t.* FROM tasks t WHERE ${where.replace('t.correlation_id =', 't.correlation_id = t.id AND t.id =')}) t`;
  }

  private add(conditions: Readonly<Record<string, string>>, filter: TaskFilter, to: string[]): void {
    const given = new Map<string, unknown>(Object.entries(filter));
    for (const [name, condition] of Object.entries(conditions)) {
      const value = given.get(name);
      if (value === undefined) continue;
      this.names.push(name);
      to.push(condition.replace('$', () => this.value(value)));
    }
  }

  private value(value: unknown): string {
    return `$${this.values.push(value)}`;
  }
}

/** One page of a list, and one row more if there is more; `next`: the look ended first, the next page begins behind it. */
export interface ListPage<R> {
  readonly rows: R[];
  readonly next: PageKey | undefined;
}

interface ListedRow {
  readonly id: string;
  readonly created_at: string;
}

/** Reads a page of `list`, by whatever asks the database. */
export async function readPage<R extends ListedRow>(
  list: TaskList,
  limit: number,
  query: <T>(sql: Statement, values: readonly unknown[]) => Promise<T[]>,
  columns?: 't.id, t.created_at',
): Promise<ListPage<R>> {
  const { values = [], ...sql } = list.rows(limit + 1, columns);
  const rows = (await query<R>(sql, values)).slice(0, limit + 1);
  if (!list.looksThrough || rows.length > limit) return { rows, next: undefined };
  const { values: same = [], ...end } = list.end();
  const [last] = await query<ListedRow>(end, same);
  if (last === undefined) return { rows, next: undefined };
  // Of several projects one may have been looked through less far than another.
  return {
    rows: rows.filter((row) => !isOlder(row, last)),
    next: { createdAt: last.created_at, id: last.id },
  };
}

function isOlder(a: ListedRow, b: ListedRow): boolean {
  return a.created_at < b.created_at || (a.created_at === b.created_at && a.id < b.id);
}
