import type { Call } from './client.js';
import type { Envelope } from '../../src/events/index.js';
import type { TaskRow } from './history.js';

/** Some of the tasks that have not ended, or why nobody can tell. */
export async function openTasks(call: Call): Promise<string[]> {
  const open: string[] = [];
  for (const status of ['queued', 'assigned', 'in_progress']) {
    const { body } = await call('GET', `/tasks?status=${status}&limit=2`);
    // Refused, there is no list: the server is away.
    const { items } = body as { items?: TaskRow[] };
    if (items === undefined) open.push(`the server says ${JSON.stringify(body)}`);
    for (const { id, attempt, assigned_agent: agent } of items ?? [])
      open.push(`${id} is ${status} (attempt ${attempt}, ${agent})`);
  }
  return open;
}

/** @param from cursor; default: the beginning */
export async function readLog(call: Call, from?: string): Promise<Envelope[]> {
  const log: Envelope[] = [];
  for (let after = from === undefined ? '' : `&after=${from}`; ;) {
    const { body } = await call('GET', `/events?limit=200${after}`);
    const page = body['items'] as Envelope[];
    if (page.length === 0) return log;
    log.push(...page);
    after = `&after=${String(body['next_cursor'])}`;
  }
}

export async function readTasks(call: Call): Promise<TaskRow[]> {
  const tasks: TaskRow[] = [];
  for (let cursor = ''; ;) {
    const { body } = await call('GET', `/tasks?limit=200${cursor}`);
    const page = body as unknown as { items: TaskRow[]; next_cursor: string | null };
    tasks.push(...page.items);
    if (page.next_cursor === null) return tasks;
    cursor = `&cursor=${page.next_cursor}`;
  }
}
