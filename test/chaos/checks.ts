import type { Check, Finding } from './finding.js';
import {
  aggregateOf,
  type Exchange,
  groupBy,
  type History,
  isAccepted,
  isOfTask,
  type LogEntry,
  type Outcome,
} from './history.js';
import { neverEarly, offeredAgain } from './lease-checks.js';

/** P1: what was acknowledged is in the log, and the task is there as its last event says. */
const acknowledgedExists: Check = ({ exchanges }, { log, tasks }) => {
  const effects = new Set(log.flatMap(effectOf));
  const rows = new Map(tasks.map((task) => [task.id, task]));
  const missing = exchanges
    .filter(isAccepted)
    .flatMap(({ client, ...exchange }) => effectsAsked(exchange).map((effect) => ({ client, effect })))
    .filter(({ effect }) => !effects.has(effect));
  const states = new Map(log.filter(isOfTask).map((entry) => [aggregateOf(entry), entry.payload['status']]));
  return [
    ...missing.map(({ client, effect }) =>
      lost(`${client} was told yes to '${effect}', and the log has no such event`),
    ),
    ...[...states]
      .filter(([id, status]) => rows.get(id)?.status !== status)
      .map(([id, status]) =>
        lost(`the log leaves ${id} ${String(status)}, its row is ${rows.get(id)?.status ?? 'not there'}`),
      ),
    ...tasks.filter(({ id }) => !states.has(id)).map(({ id }) => lost(`${id} has no events`)),
  ];
};

/** P2: every task is completed, by one event. */
const completedOnce: Check = (_history, { log, tasks }) => {
  const completions = new Map<string, number>(tasks.map(({ id }) => [id, 0]));
  for (const entry of log.filter((one) => one.event_type === 'task.completed')) {
    completions.set(aggregateOf(entry), (completions.get(aggregateOf(entry)) ?? 0) + 1);
  }
  return [...completions]
    .filter(([, times]) => times !== 1)
    .map(([id, times]) => ({ broken: 'not completed once', text: `${id} was completed ${times} times` }));
};

/** P2: nothing was accepted from an attempt that was not the task's present one, and no attempt was given twice. */
const nothingStaleAccepted: Check = ({ exchanges }, { log }) => {
  const findings: Finding[] = [];
  const stale = (text: string): number => findings.push({ broken: 'stale accepted', text });
  const current = new Map<string, { attempt: unknown; agent: unknown }>();
  const completed = new Map<string, unknown>();
  for (const entry of log.filter(isOfTask)) {
    const id = aggregateOf(entry);
    const { attempt, assigned_agent: agent } = entry.payload;
    if (entry.event_type === 'task.assigned') {
      if (Number(attempt) <= Number(current.get(id)?.attempt ?? 0))
        stale(`${id} was given as attempt ${String(attempt)} twice`);
      current.set(id, { attempt, agent });
    }
    if (entry.event_type === 'task.started' || entry.event_type === 'task.completed') {
      const holder = current.get(id);
      if (holder?.attempt !== attempt || holder?.agent !== entry.source_agent)
        stale(
          `${entry.event_type} of ${id} is by ${entry.source_agent}, but ${String(holder?.agent)} held it`,
        );
    }
    if (entry.event_type === 'task.completed') completed.set(id, attempt);
  }
  for (const { what, client, task = '', attempt } of exchanges.filter(isAccepted)) {
    if (what === 'complete' && completed.has(task) && completed.get(task) !== attempt)
      stale(
        `${client} was told yes to completing attempt ${attempt} of ${task}; attempt ${String(completed.get(task))} did it`,
      );
  }
  const holders = new Map<string, string>();
  for (const { client, items = [] } of exchanges) {
    for (const { task, attempt } of items) {
      const key = `${task} ${attempt}`;
      const other = holders.get(key);
      if (other !== undefined && other !== client)
        stale(`attempt ${attempt} of ${task} was given to ${other} and ${client}`);
      holders.set(key, client);
    }
  }
  return findings;
};

/** P4: 1, 2, 3… for each aggregate, in the order of the log. */
const seqGapless: Check = (_history, { log }) => {
  const last = new Map<string, number>();
  return log.flatMap((entry): Finding[] => {
    const id = aggregateOf(entry);
    const before = last.get(id) ?? 0;
    last.set(id, entry.seq);
    if (entry.seq === before + 1) return [];
    return [{ broken: 'gap in seq', text: `${id}: ${entry.seq} (${entry.event_type}) follows ${before}` }];
  });
};

/** P4: what was answered before another request was sent stands before that one's effect in the log. */
const logOrder: Check = ({ exchanges }, { log }) => {
  const sent = new Map<string, number>();
  const answered = new Map<string, number>();
  for (const exchange of exchanges) {
    for (const effect of effectsAsked(exchange)) {
      // A repeated request may have had its effect at its first try, and is known by its first answer.
      sent.set(effect, Math.min(sent.get(effect) ?? Infinity, exchange.sentAt));
      if (isAccepted(exchange))
        answered.set(effect, Math.min(answered.get(effect) ?? Infinity, exchange.answeredAt ?? Infinity));
    }
  }
  const findings: Finding[] = [];
  let latest = { effect: '', sentAt: -Infinity };
  for (const effect of log.flatMap(effectOf)) {
    const answeredAt = answered.get(effect) ?? Infinity;
    if (answeredAt < latest.sentAt)
      findings.push({
        broken: 'order',
        text: `'${effect}' was answered before '${latest.effect}' was asked, and comes after it in the log`,
      });
    const sentAt = sent.get(effect) ?? -Infinity;
    if (sentAt > latest.sentAt) latest = { effect, sentAt };
  }
  return findings;
};

/** P5: every subscriber was told every event, as the log has it, and each aggregate's in order. */
const delivered: Check = ({ told, gaps }, { log }) => {
  const findings: Finding[] = [];
  const fault = (text: string): number => findings.push({ broken: 'not delivered', text });
  if (gaps > 0) fault(`a subscriber was told of ${gaps} gaps`);
  const stored = new Map(log.map((entry) => [entry.id, entry]));
  for (const [client, events] of groupBy(told, (one) => one.client)) {
    const seen = new Set<string>();
    const last = new Map<string, number>();
    for (const { id, aggregate, seq, type } of events) {
      const entry = stored.get(id);
      if (entry === undefined || entry.seq !== seq || aggregateOf(entry) !== aggregate)
        fault(`${client} was told ${type} (${aggregate} ${seq}), which the log does not have`);
      if (seen.has(id)) continue;
      seen.add(id);
      const before = last.get(aggregate) ?? 0;
      if (seq !== before + 1) fault(`${client} was told ${aggregate} ${seq} after ${before}`);
      last.set(aggregate, seq);
    }
    const untold = log.filter(({ id }) => !seen.has(id));
    for (const entry of untold)
      fault(`${client} was never told ${entry.event_type} of ${aggregateOf(entry)}`);
  }
  return findings;
};

/** No client saw anything but success, a lost lease, or "later": not even under faults. */
const answersProper: Check = ({ exchanges }) =>
  exchanges
    .filter(
      ({ status, code }) => status !== undefined && status >= 300 && status !== 503 && code !== 'STALE_LEASE',
    )
    .map(({ client, what, task, status, code }) => ({
      broken: 'answer',
      text: `${client} got ${status} ${code ?? ''} to ${what} ${task ?? ''}`,
    }));

const CHECKS: readonly Check[] = [
  acknowledgedExists,
  completedOnce,
  nothingStaleAccepted,
  seqGapless,
  logOrder,
  delivered,
  offeredAgain,
  neverEarly,
  answersProper,
];

/** Everything that the history of a run and its outcome break. */
export function check(history: History, outcome: Outcome, leaseMs: number): Finding[] {
  return CHECKS.flatMap((one) => one(history, outcome, leaseMs));
}

const lost = (text: string): Finding => ({ broken: 'lost', text });

/** What an event proves, in the words of {@link effectsAsked}. */
function effectOf(entry: LogEntry): string[] {
  const id = aggregateOf(entry);
  const attempt = String(entry.payload['attempt']);
  switch (entry.event_type) {
    case 'task.created':
      return [`create ${id}`];
    case 'task.assigned':
      return [`claim ${id} ${attempt}`];
    case 'task.started':
      return [`start ${id} ${attempt}`];
    case 'task.completed':
      return [`complete ${id} ${attempt}`];
    default:
      return [];
  }
}

/** What a request has changed when it was answered with yes. */
function effectsAsked({ what, task, attempt, items = [] }: Omit<Exchange, 'client'>): string[] {
  if (what === 'create') return [`create ${task}`];
  if (what === 'start' || what === 'complete') return [`${what} ${task} ${attempt}`];
  return items.map((item) => `claim ${item.task} ${item.attempt}`);
}
