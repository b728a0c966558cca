import { createHash } from 'node:crypto';
import type { Statement } from '../../platform/database/statement.js';
import { bytesOf } from '../../platform/database/json-size.js';
import { boundedRows, eachProject, NEWEST_FIRST, rowsToRead } from '../../platform/database/list-rows.js';
import { type PageKey, pageKeyOf, partsOf } from '../../platform/http/page.js';

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

const KEY = 't.id, t.project_id, t.created_at';
const WHOLE = 't.*';

const bounded = (page: string): string =>
  boundedRows(`
    SELECT t.*, ${bytesOf('t.input_data')} + ${bytesOf('t.output_data')} + ${bytesOf('t.metadata')} AS bytes
    FROM (${page}) t`);

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
      const { id, project } = partsOf(from);
      const key = `${this.value(from.createdAt)}::timestamptz, ${this.value(id)}::text`;
      this.indexed.push(
        projectId === null
          ? `(t.created_at, t.id, t.project_id) < (${key}, ${this.value(project)}::text)`
          : `(t.created_at, t.id) < (${key})`,
      );
    }
    this.ofIndexed = this.values.length;
    this.add(LOOKED_AT, filter, this.looked);
  }

  /** Has it filters that no index knows? */
  get looksThrough(): boolean {
    return this.looked.length > 0;
  }

  /**
   * At least the first `limit` rows, newest first, if there are so many and they are not too large together. Rows: Task with
   * `found`, or `columns` of it.
   */
  rows(limit: number, columns: typeof WHOLE | typeof KEY = WHOLE): Statement {
    const source = this.source();
    const rows = this.looksThrough
      ? `SELECT t.* FROM (${source} ${NEWEST_FIRST} LIMIT ${LOOKED_THROUGH}) t WHERE ${this.looked.join(' AND ')}`
      : source;
    const most = rowsToRead(limit);
    const page = this.ordered(rows, most);
    const text = `SELECT ${columns} FROM (${columns === WHOLE ? bounded(page) : page}) t ${NEWEST_FIRST}`;
    return {
      name: this.nameOf(`${columns === WHOLE ? 'whole' : 'keys'} ${most}`),
      text,
      values: this.values,
    };
  }

  /** The row at which the look had to end, if it had to. Rows: {@link ListedRow}. */
  end(): Statement {
    const rows = `${this.source()} ${NEWEST_FIRST} OFFSET ${LOOKED_THROUGH - 1} LIMIT 1`;
    const text = `SELECT ${KEY} FROM (${this.ordered(rows, 1)}) t`;
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
    const all = eachProject('tasks', `SELECT t.* FROM (${rows}) t ${NEWEST_FIRST} LIMIT ${limit}`);
    return `SELECT t.* FROM (${all}) t ${NEWEST_FIRST} LIMIT ${limit}`;
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

/**
 * One page of a list, and one row more if there is more; `next`: the look ended first, or the page is as large as a page may
 * be; the next one begins behind it.
 */
export interface ListPage<R> {
  readonly rows: R[];
  readonly next: PageKey | undefined;
}

interface ListedRow {
  readonly id: string;
  readonly project_id: string;
  readonly created_at: string;
  /** Of whole rows only. */
  readonly found?: number;
}

/** Reads a page of `list`, by whatever asks the database. */
export async function readPage<R extends ListedRow>(
  list: TaskList,
  limit: number,
  query: <T>(sql: Statement, values: readonly unknown[]) => Promise<T[]>,
  columns?: typeof KEY,
): Promise<ListPage<R>> {
  const { values = [], ...sql } = list.rows(limit + 1, columns);
  const read = await query<R>(sql, values);
  const rows = read.slice(0, limit + 1);
  if (rows.length > limit) return { rows, next: undefined };
  const largest = rows.at(-1);
  if (largest?.found !== undefined && largest.found > rows.length) return { rows, next: pageKeyOf(largest) };
  if (!list.looksThrough) return { rows, next: undefined };
  const { values: same = [], ...end } = list.end();
  const [last] = await query<ListedRow>(end, same);
  if (last === undefined) return { rows, next: undefined };
  // Of several projects one may have been looked through less far than another.
  return {
    rows: rows.filter((row) => !isOlder(row, last)),
    next: pageKeyOf(last),
  };
}

function isOlder(a: ListedRow, b: ListedRow): boolean {
  if (a.created_at !== b.created_at) return a.created_at < b.created_at;
  return a.id === b.id ? a.project_id < b.project_id : a.id < b.id;
}
