import { setTimeout as delay } from 'node:timers/promises';
import { until } from '../support/wait-for.js';
import { groupBy, type LogEntry, type Outcome } from './history.js';
import { randomFrom } from './random.mjs';
import type { World } from './world.js';

const TYPE = 'work';
const TERMINAL = ['completed', 'failed', 'cancelled'];

interface Stage {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly compensation?: string;
  readonly status: string;
  readonly task_id: string | null;
  readonly error: object | null;
}

interface Workflow {
  readonly id: string;
  readonly status: string;
  readonly configuration: { readonly parallel_execution: boolean; readonly failure_strategy: string };
  readonly stages: readonly Stage[];
}

/** Posts workflows of random shape, and pauses, resumes, cancels and retries them at random while they run. */
export class Dags {
  readonly ids: string[] = [];
  /** What was asked of running workflows, and how often it was done. */
  readonly done: Record<string, number> = {};
  private readonly random: () => number;
  private stopped = false;

  constructor(private readonly world: World) {
    this.random = randomFrom(world.seed);
  }

  /** `ahead` of what has ended. */
  async post(count: number, ahead: number): Promise<void> {
    for (let index = 0; index < count; index += 1) {
      await until(async () => index < ahead || (await this.unfinished()).length < ahead, { within: 300_000 });
      const body = this.draw(`dag-${index}`);
      while (!this.stopped) {
        const { status, body: answer } = await this.world.call('POST', '/workflows', body);
        if (status === 200 || status === 201) break;
        if (status !== 0 && status !== 503) throw new Error(JSON.stringify(answer));
        await delay(200);
      }
      this.ids.push(`dag-${index}`);
    }
  }

  /** Interferes until it is told to stop; then resumes what is paused. */
  async interfere(): Promise<void> {
    while (!this.stopped) {
      await delay(100);
      const id = this.ids[Math.floor(this.random() * this.ids.length)];
      const what = pick(this.random, ['pause', 'pause', 'resume', 'resume', 'resume', 'retry', 'cancel']);
      if (id === undefined || (what === 'cancel' && this.random() < 0.7)) continue;
      const { status } = await this.world.call('POST', `/workflows/${id}/${what}`);
      if (status === 200) this.done[what] = (this.done[what] ?? 0) + 1;
    }
  }

  stop(): void {
    this.stopped = true;
  }

  async allEnd(within: number): Promise<void> {
    await until(
      async () => {
        const open = await this.unfinished();
        for (const { id, status } of open)
          if (status === 'paused') await this.world.call('POST', `/workflows/${id}/resume`);
        return open.length === 0;
      },
      { within },
    );
  }

  async read(): Promise<Workflow[]> {
    const workflows: Workflow[] = [];
    for (let cursor = ''; ;) {
      const { status, body } = await this.world.call('GET', `/workflows?limit=100${cursor}`);
      if (status !== 200) throw new Error(`workflows cannot be read: ${status}`);
      const page = body as unknown as { items: Workflow[]; next_cursor: string | null };
      workflows.push(...page.items);
      if (page.next_cursor === null) return workflows;
      cursor = `&cursor=${page.next_cursor}`;
    }
  }

  private async unfinished(): Promise<Workflow[]> {
    const open: Workflow[] = [];
    for (const state of ['running', 'paused', 'compensating']) {
      const { status, body } = await this.world.call('GET', `/workflows?status=${state}&limit=200`);
      // Who does not answer may have open ones.
      if (status !== 200) return Array.from({ length: 1_000 }, () => UNKNOWN);
      open.push(...(body['items'] as Workflow[]));
    }
    return open;
  }

  private draw(id: string): object {
    const { random } = this;
    const density = random() * 0.6;
    const stages = Array.from({ length: 1 + Math.floor(random() ** 2 * 14) }, (_, place) => ({
      name: `s${place}`,
      agent_type: TYPE,
      dependencies: Array.from({ length: place }, (_none, one) => `s${one}`).filter(() => random() < density),
      retry_policy: { max_attempts: 1 + Math.floor(random() * 4), initial_delay: 0.1, max_delay: 1 },
      ...(random() < 0.5 ? { compensation: TYPE } : {}),
    }));
    return {
      id,
      name: 'random',
      stages: stages.toSorted(() => random() - 0.5),
      configuration: {
        parallel_execution: random() < 0.75,
        failure_strategy: pick(random, ['stop_on_error', 'continue_on_error', 'compensate']),
      },
      ...(random() < 0.05 ? { timeout: 1 + Math.floor(random() * 5) } : {}),
    };
  }
}

/** What of the promises about workflows was broken, as their log and their rows tell. */
export function judgeDags(workflows: readonly Workflow[], { log, tasks }: Outcome): string[] {
  const byWorkflow = groupBy(log, ({ payload }) => payload['workflow_id'] ?? payload['parent_workflow_id']);
  const known = new Set(tasks.map(({ id }) => id));
  return workflows.flatMap((workflow) => judge(workflow, byWorkflow.get(workflow.id) ?? [], known));
}

function judge(workflow: Workflow, log: readonly LogEntry[], tasks: ReadonlySet<string>): string[] {
  const broken: string[] = [];
  const fault = (text: string): number => broken.push(`${workflow.id}: ${text}`);
  const definitions = new Map(workflow.stages.map((stage) => [stage.name, stage]));
  const now = new Map(workflow.stages.map(({ name }) => [name, 'pending']));
  const taskIds = new Set<string>();
  /** Stages that were undone before one that depends on them. */
  const passedOver: [string, string][] = [];
  const cancelled = (payload: LogEntry['payload']): void => {
    const { cancelled_stages: names = [] } = (payload['details'] ?? {}) as { cancelled_stages?: string[] };
    for (const one of names) now.set(one, 'cancelled');
  };
  let status = 'running';
  for (const { event_type: type, payload } of log) {
    const stage = String(payload['stage']);
    if (type === 'task.assigned' && status === 'paused')
      fault(`${String(payload['task_id'])} was handed out while it was paused`);
    if (!type.startsWith('workflow.')) continue;
    if (TERMINAL.includes(status) && type !== 'workflow.retried')
      fault(`${type} came after its end, ${status}`);
    status = String(payload['status']);
    switch (type) {
      case 'workflow.stage_started': {
        const taskId = String(payload['task_id']);
        if (now.get(stage) !== 'pending') fault(`${stage} started, and was ${now.get(stage)}`);
        for (const one of definitions.get(stage)?.dependencies ?? [])
          if (now.get(one) !== 'completed')
            fault(`${stage} started before ${one}, which was ${now.get(one)}`);
        const others = [...now.values()].filter((other) => other === 'running').length;
        if (!workflow.configuration.parallel_execution && others > 0)
          fault(`${stage} started beside another`);
        if (status !== 'running') fault(`${stage} started while it was ${status}`);
        if (taskIds.has(taskId) || !tasks.has(taskId)) fault(`${stage} has no task of its own`);
        taskIds.add(taskId);
        now.set(stage, 'running');
        break;
      }
      case 'workflow.stage_completed':
        if (now.get(stage) !== 'running') fault(`${stage} completed, and was ${now.get(stage)}`);
        now.set(stage, 'completed');
        break;
      case 'workflow.stage_failed':
        now.set(stage, 'failed');
        break;
      case 'workflow.stage_skipped':
        if (now.get(stage) !== 'pending') fault(`${stage} was skipped, and was ${now.get(stage)}`);
        now.set(stage, 'skipped');
        break;
      case 'workflow.stage_compensated': {
        if (now.get(stage) !== 'completed') fault(`${stage} was undone, and was ${now.get(stage)}`);
        for (const one of workflow.stages) {
          const isBehind = one.dependencies.includes(stage) && one.compensation !== undefined;
          if (isBehind && now.get(one.name) === 'completed') passedOver.push([stage, one.name]);
        }
        now.set(stage, 'compensated');
        break;
      }
      case 'workflow.retried':
        for (const one of (payload['details'] as { stages: string[] }).stages) now.set(one, 'pending');
        break;
      case 'workflow.failed': {
        // What could not be undone is told at the end.
        const { details } = payload['error'] as { details?: { not_compensated?: { stage: string }[] } };
        const left = new Set(details?.not_compensated?.map((one) => one.stage));
        for (const [one, other] of passedOver.splice(0))
          if (!left.has(other)) fault(`${one} was undone before ${other}`);
        cancelled(payload);
        break;
      }
      case 'workflow.cancelled':
        passedOver.length = 0;
        cancelled(payload);
        break;
      default:
        cancelled(payload);
    }
  }
  if (!TERMINAL.includes(workflow.status)) fault(`it is still ${workflow.status}`);
  if (workflow.status !== status) fault(`it is ${workflow.status}, and the log leaves it ${status}`);
  for (const stage of workflow.stages)
    if (stage.status !== now.get(stage.name))
      fault(`${stage.name} is ${stage.status}, and the log leaves it ${now.get(stage.name)}`);
  const isWhole = workflow.stages.every((stage) => stage.status === 'completed');
  if (isWhole !== (workflow.status === 'completed') && workflow.status !== 'cancelled')
    fault(`it is ${workflow.status}, with stages ${workflow.stages.map((stage) => stage.status).join()}`);
  return broken;
}

const UNKNOWN: Workflow = {
  id: '',
  status: 'unknown',
  configuration: { parallel_execution: true, failure_strategy: '' },
  stages: [],
};

function pick<T>(random: () => number, from: readonly T[]): T {
  const one = from[Math.floor(random() * from.length)];
  if (one === undefined) throw new Error('nothing to pick from');
  return one;
}
