import type { Check, Finding } from './finding.js';
import {
  aggregateOf,
  type Attempt,
  type Exchange,
  groupBy,
  type History,
  isAccepted,
  isOfTask,
  type LogEntry,
  type Outcome,
  type Span,
} from './history.js';

/** The second that P3 grants beyond the lease. */
const GRACE_MS = 1_000;
/** Of an outage from this length on, the servers credit what passed since their last pulse, which may be a second more. */
const CREDITED_MS = 4_000;
const PULSE_MS = 1_500;

/** P3: what a dead agent held is offered again within its lease and a second of time in which the system was up. */
export const offeredAgain: Check = (history, outcome, leaseMs) =>
  waitsForDead(history, outcome)
    .filter(({ waited }) => waited > leaseMs + GRACE_MS)
    .map(({ task, agent, waited }) => ({
      broken: 'offered late',
      text: `${task} waited ${Math.round(waited)} ms for ${agent}, which was dead`,
    }));

/** How long each task waited for an agent that was silent meanwhile, in ms of time in which the system was up. */
export function waitsForDead(
  history: History,
  { log }: Outcome,
): { task: string; agent: string; waited: number }[] {
  const { silences, outages } = history;
  const lastSigns = new Map(
    [...silences.values()].flat().map((silence) => [silence, silence.from + backlog(history, silence)]),
  );
  return attemptsOf(log).flatMap(({ task, agent, from, to }) =>
    (silences.get(agent) ?? []).flatMap((silence) => {
      const start = Math.max(from, lastSigns.get(silence) ?? silence.from);
      const end = Math.min(to, silence.to);
      return start < end && end < Infinity
        ? [{ task, agent, waited: end - start - downtime(outages, start, end) }]
        : [];
    }),
  );
}

/**
 * What an agent had sent when it died is a sign of life when the server gets to it: as late as the slowest answer of that
 * moment, which is a few milliseconds unless the machine has more to do than it can.
 */
function backlog({ exchanges, silences }: History, { from }: Span): number {
  const slow = exchanges
    // A claim may wait for work, and a frozen client for itself.
    .filter(({ what, sentAt, answeredAt = 0 }) => what !== 'claim' && sentAt <= from && answeredAt > from)
    .filter(
      ({ agent = '' }) =>
        !(silences.get(agent) ?? []).some((silence) => silence.from <= from && silence.to >= from),
    )
    .map(({ answeredAt = from }) => answeredAt - from);
  return Math.max(0, ...slow);
}

function downtime(outages: readonly Span[], from: number, to: number): number {
  return outages
    .map((outage) =>
      outage.to - outage.from < CREDITED_MS ? outage : { from: outage.from - PULSE_MS, to: outage.to },
    )
    .reduce((sum, outage) => sum + Math.max(0, Math.min(to, outage.to) - Math.max(from, outage.from)), 0);
}

/** Nothing is taken from an agent before a whole lease has passed since it last proved that it is alive. */
export const neverEarly: Check = ({ exchanges }, { log }, leaseMs) => {
  const ofAgent = groupBy(exchanges, ({ agent }) => agent);
  const ofTask = groupBy(exchanges.flatMap(givenAt), ({ task }) => task);
  return attemptsOf(log).flatMap((held): Finding[] => {
    const { task, attempt, agent, from } = held;
    if (held.end?.event_type !== 'task.retrying') return [];
    // The log's times may be as wrong as the clock that ended the lease; the next holder's are not.
    const given = (ofTask.get(task) ?? []).filter((next) => next.attempt > attempt).map(({ at }) => at);
    const to = Math.min(held.to, ...given);
    const calls = (ofAgent.get(agent) ?? []).filter((call) => call.sentAt >= from && call.sentAt <= to);
    // An agent that begins anew gives back itself what it held.
    if (calls.some(({ what }) => what === 'register')) return [];
    const yes = calls.filter((call) => isAccepted(call) && (call.answeredAt ?? Infinity) < to);
    const started = yes.find(
      (call) => call.what === 'start' && call.task === task && call.attempt === attempt,
    );
    const startedAt = started?.answeredAt ?? Infinity;
    const beats = yes.filter((call) => call.what === 'heartbeat' && call.sentAt > startedAt);
    const renewedAt = Math.max(from, started?.sentAt ?? from, ...beats.map(({ sentAt }) => sentAt));
    if (to >= renewedAt + leaseMs - CLOCK_GRAIN_MS) return [];
    const text = `attempt ${attempt} of ${task} ended ${Math.round(to - renewedAt)} ms after ${agent} renewed it`;
    return [{ broken: 'taken early', text }];
  });
};

/** Times are cut to the millisecond, on either side. */
const CLOCK_GRAIN_MS = 2;

/** When an agent had been given an attempt, as far as it shows. */
function givenAt({
  what,
  task,
  attempt,
  sentAt,
  answeredAt,
  items = [],
}: Exchange): (Attempt & { at: number })[] {
  if (what === 'start' && task !== undefined && attempt !== undefined) return [{ task, attempt, at: sentAt }];
  return items.map((item) => ({ ...item, at: answeredAt ?? Infinity }));
}

interface HeldAttempt extends Span {
  readonly task: string;
  readonly attempt: number;
  readonly agent: string;
  /** The event that ended it. */
  readonly end: LogEntry | undefined;
}

/** Every attempt in the log, from its assignment to its end, which may not have come (`to` = Infinity). */
function attemptsOf(log: readonly LogEntry[]): HeldAttempt[] {
  const ends = new Set(['task.completed', 'task.retrying', 'task.failed', 'task.queued', 'task.cancelled']);
  const byTask = groupBy(log.filter(isOfTask), aggregateOf);
  return [...byTask].flatMap(([task, entries]) =>
    entries.flatMap((entry, index) => {
      if (entry.event_type !== 'task.assigned') return [];
      const end = entries.slice(index + 1).find((later) => ends.has(later.event_type));
      const { attempt, assigned_agent: agent } = entry.payload;
      return {
        task,
        attempt: Number(attempt),
        agent: String(agent),
        from: Date.parse(entry.timestamp),
        to: end === undefined ? Infinity : Date.parse(end.timestamp),
        end,
      };
    }),
  );
}
