import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Envelope } from '../../src/events/index.js';

/** What clients ask for, as the history calls it. */
export type What = 'create' | 'register' | 'heartbeat' | 'claim' | 'start' | 'complete' | 'fail' | 'read';

export interface Attempt {
  readonly task: string;
  readonly attempt: number;
}

/** A request, and its answer if there was one. Times are this machine's clock in ms. */
export interface Exchange {
  readonly client: string;
  /** The agent behind the client, if it is one: each of its lives is a client of its own. */
  readonly agent?: string;
  readonly what: What;
  readonly sentAt: number;
  readonly task?: string;
  readonly attempt?: number;
  /** No answer, no `answeredAt`: nobody knows what became of it. */
  readonly answeredAt?: number;
  readonly status?: number;
  /** The `error.code` of a refusal. */
  readonly code?: string;
  /** What a claim was answered with. */
  readonly items?: readonly Attempt[];
}

/** An event that a subscriber was told. */
export interface Told {
  readonly client: string;
  readonly id: string;
  readonly type: string;
  readonly aggregate: string;
  readonly seq: number;
}

/** An agent that was dead or frozen, or the system that was down, from `from` until `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Everything that the clients of one run saw, and what the driver did to them. */
export interface History {
  readonly exchanges: readonly Exchange[];
  /** In the order they were told, per subscriber. */
  readonly told: readonly Told[];
  /** Gaps that a subscriber was told of. */
  readonly gaps: number;
  /** When agents were dead or frozen. */
  readonly silences: ReadonlyMap<string, readonly Span[]>;
  /** When no server answered, or Postgres was away. */
  readonly outages: readonly Span[];
}

/** The system at the end: its log in order, and its tasks. */
export interface Outcome {
  readonly log: readonly LogEntry[];
  readonly tasks: readonly TaskRow[];
}

export type LogEntry = Pick<Envelope, 'id' | 'event_type' | 'seq' | 'timestamp' | 'source_agent' | 'payload'>;

export interface TaskRow {
  readonly id: string;
  readonly status: string;
  readonly attempt: number;
  readonly assigned_agent: string | null;
}

/** What an event is about: the id in its payload. */
export function aggregateOf({ event_type: type, payload }: Pick<LogEntry, 'event_type' | 'payload'>): string {
  // A workflow's event may name a task.
  if (type.startsWith('workflow.')) return String(payload['workflow_id']);
  return String(payload['task_id'] ?? payload['agent_id']);
}

export const isOfTask = (entry: LogEntry): boolean => entry.event_type.startsWith('task.');
export const isAccepted = ({ status }: Pick<Exchange, 'status'>): boolean =>
  status !== undefined && status < 300;

export function groupBy<K, V>(values: Iterable<V>, keyOf: (value: V) => K): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const value of values) {
    const group = groups.get(keyOf(value));
    if (group === undefined) groups.set(keyOf(value), [value]);
    else group.push(value);
  }
  return groups;
}

/** A line of a history file, as recorder.mjs writes it. */
type Line = { readonly at: number; readonly client: string } & (
  | ({ readonly kind: 'sent'; readonly call: number } & Pick<Exchange, 'what' | 'task' | 'attempt'>)
  | ({ readonly kind: 'answered'; readonly call: number } & Required<Pick<Exchange, 'status'>> &
      Pick<Exchange, 'code' | 'items'>)
  | ({ readonly kind: 'told' } & Omit<Told, 'client'>)
  | { readonly kind: 'gap' | 'connected' | 'crash' | 'pushed' }
  | { readonly kind: 'silent' | 'back'; readonly agent: string }
  | { readonly kind: 'down' | 'up' }
);

/** Reads what every process of a run has written into the folder. */
export function readHistory(folder: string): History {
  const exchanges: Exchange[] = [];
  const told: Told[] = [];
  const silences = new Map<string, Span[]>();
  const outages: Span[] = [];
  let gaps = 0;
  for (const file of readdirSync(folder)) {
    const open = new Map<number, Exchange>();
    for (const line of linesOf(join(folder, file))) {
      const { at, client } = line;
      if (line.kind === 'sent') {
        const { kind: _kind, at: sentAt, call, ...facts } = line;
        open.set(call, { ...facts, sentAt, ...agentOf(client) });
      } else if (line.kind === 'answered') {
        const { kind: _kind, at: answeredAt, call, ...facts } = line;
        const request = open.get(call);
        if (request !== undefined) open.set(call, { ...request, ...facts, answeredAt });
      } else if (line.kind === 'told') told.push(line);
      else if (line.kind === 'gap') gaps += 1;
      else if (line.kind === 'silent' || line.kind === 'back') {
        const spans = silences.get(line.agent) ?? [];
        silences.set(line.agent, line.kind === 'silent' ? begun(spans, at) : ended(spans, at));
      } else if (line.kind === 'down') outages.push({ from: at, to: Infinity });
      else if (line.kind === 'up') outages.splice(0, Infinity, ...ended(outages, at));
    }
    exchanges.push(...open.values());
  }
  return { exchanges, told, gaps, silences, outages };
}

/** A process that was killed may have left half a line at the end. */
function linesOf(file: string): Line[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  // What the files hold is the shape above: recorder.mjs has written them.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Line);
}

/** `agent-3.2` is the second life of `agent-3`. */
function agentOf(client: string): { agent?: string } {
  const agent = /^(.*)\.\d+$/.exec(client)?.[1];
  return agent === undefined ? {} : { agent };
}

const begun = (spans: readonly Span[], at: number): Span[] => [...spans, { from: at, to: Infinity }];
const ended = (spans: readonly Span[], at: number): Span[] =>
  spans.map((span) => (span.to === Infinity ? { ...span, to: at } : span));
