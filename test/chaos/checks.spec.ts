import { describe, expect, it } from '@jest/globals';
import { check } from './checks.js';
import type { Exchange, History, LogEntry, Outcome, TaskRow, Told } from './history.js';
import { waitsForDead } from './lease-checks.js';

const LEASE_MS = 3_000;

/** One task, created at 100, given to `a` at 200, started at 300 and completed at 400, as all who were there tell it. */
const LOG = [
  event('task.created', 1, 100, { status: 'queued' }),
  event('task.assigned', 2, 200, { status: 'assigned', attempt: 1, assigned_agent: 'a' }),
  event('task.started', 3, 300, { status: 'in_progress', attempt: 1, assigned_agent: 'a' }, 'a'),
  event('task.completed', 4, 400, { status: 'completed', attempt: 1, assigned_agent: 'a' }, 'a'),
];
const EXCHANGES: Exchange[] = [
  { client: 'creator', what: 'create', task: 't', sentAt: 95, answeredAt: 105, status: 201 },
  {
    ...by('a'),
    what: 'claim',
    sentAt: 150,
    answeredAt: 205,
    status: 200,
    items: [{ task: 't', attempt: 1 }],
  },
  { ...by('a'), what: 'start', task: 't', attempt: 1, sentAt: 295, answeredAt: 305, status: 200 },
  { ...by('a'), what: 'complete', task: 't', attempt: 1, sentAt: 395, answeredAt: 405, status: 200 },
];
const ROW: TaskRow = { id: 't', status: 'completed', attempt: 1, assigned_agent: 'a' };

/** The same task, but `a` dies at 350, and `b` is given it at `offeredAt`. */
function inherited(offeredAt: number): { log: LogEntry[]; exchanges: Exchange[] } {
  const b = { attempt: 2, assigned_agent: 'b' };
  return {
    log: [
      ...LOG.slice(0, 3),
      event('task.retrying', 4, offeredAt, { status: 'queued', attempt: 1, assigned_agent: null }),
      event('task.assigned', 5, offeredAt + 10, { status: 'assigned', ...b }),
      event('task.started', 6, offeredAt + 20, { status: 'in_progress', ...b }, 'b'),
      event('task.completed', 7, offeredAt + 30, { status: 'completed', ...b }, 'b'),
    ],
    exchanges: [
      ...EXCHANGES.slice(0, 3),
      {
        ...by('b'),
        what: 'complete',
        task: 't',
        attempt: 2,
        sentAt: offeredAt + 25,
        answeredAt: offeredAt + 35,
        status: 200,
      },
    ],
  };
}

describe('the checker', () => {
  it('finds nothing where nothing is wrong', () => {
    expect(brokenIn()).toEqual([]);
    expect(brokenIn(inherited(3_400))).toEqual([]);
  });

  it('finds what was acknowledged and is not there', () => {
    const created: Exchange = {
      client: 'creator',
      what: 'create',
      task: 'gone',
      sentAt: 1,
      answeredAt: 2,
      status: 201,
    };
    expect(brokenIn({ exchanges: [...EXCHANGES, created] })).toEqual(['lost']);
    expect(
      brokenIn({ exchanges: [...EXCHANGES, { ...created, answeredAt: undefined, status: undefined }] }),
    ).toEqual([]);
    expect(brokenIn({ tasks: [{ ...ROW, status: 'queued' }] })).toEqual(['lost']);
    expect(brokenIn({ tasks: [] })).toEqual(['lost']);
    expect(brokenIn({ tasks: [ROW, { ...ROW, id: 'silent' }] })).toEqual(['lost', 'not completed once']);
  });

  it('finds a task that was completed twice, or never', () => {
    const again = event(
      'task.completed',
      5,
      450,
      { status: 'completed', attempt: 1, assigned_agent: 'a' },
      'a',
    );
    expect(brokenIn({ log: [...LOG, again] })).toEqual(['not completed once']);
    expect(
      brokenIn({
        log: LOG.slice(0, 3),
        exchanges: EXCHANGES.slice(0, 3),
        tasks: [{ ...ROW, status: 'in_progress' }],
      }),
    ).toEqual(['not completed once']);
  });

  it('finds a stale write that was accepted', () => {
    const { log, exchanges } = inherited(3_400);
    const late: Exchange = {
      ...by('a'),
      what: 'complete',
      task: 't',
      attempt: 1,
      sentAt: 4_000,
      answeredAt: 4_010,
      status: 200,
    };
    expect(
      brokenIn({ log, exchanges: [...exchanges, { ...late, status: 409, code: 'STALE_LEASE' }] }),
    ).toEqual([]);
    expect(brokenIn({ log, exchanges: [...exchanges, late] })).toEqual(['lost', 'stale accepted']);
    const byA = log.map((entry) => (entry.seq === 7 ? { ...entry, source_agent: 'a' } : entry));
    expect(brokenIn({ log: byA, exchanges })).toEqual(['stale accepted']);
  });

  it('finds an attempt that was given twice', () => {
    const other: Exchange = {
      ...by('b'),
      what: 'claim',
      sentAt: 150,
      answeredAt: 205,
      status: 200,
      items: [{ task: 't', attempt: 1 }],
    };
    expect(brokenIn({ exchanges: [...EXCHANGES, other] })).toEqual(['stale accepted']);
    const { log, exchanges } = inherited(3_400);
    const same = log.map((entry) =>
      entry.seq > 4 ? { ...entry, payload: { ...entry.payload, attempt: 1 } } : entry,
    );
    expect(brokenIn({ log: same, exchanges: exchanges.slice(0, 3) })).toContain('stale accepted');
  });

  it('finds a gap, a double and a wrong order in an aggregate', () => {
    const [first, second, third, fourth] = LOG;
    const of = (...entries: (LogEntry | undefined)[]): LogEntry[] => entries.flatMap((entry) => entry ?? []);
    for (const log of [
      of(first, second, fourth),
      of(first, second, third, third, fourth),
      of(first, third, second, fourth),
    ]) {
      expect(brokenIn({ log })).toContain('gap in seq');
    }
  });

  it('finds a log that is not in the order of what clients saw', () => {
    const other = { ...event('task.created', 1, 50, { task_id: 'u', status: 'queued' }), id: 'u1' };
    const created: Exchange = {
      client: 'creator',
      what: 'create',
      task: 'u',
      sentAt: 500,
      answeredAt: 510,
      status: 201,
    };
    const both = { tasks: [ROW, { ...ROW, id: 'u', status: 'queued' }], exchanges: [...EXCHANGES, created] };
    expect(brokenIn({ ...both, log: [...LOG, other] })).toEqual(['not completed once']);
    expect(brokenIn({ ...both, log: [other, ...LOG] })).toContain('order');
    // Asked and answered at the same time, in either order.
    const beside = { ...both, exchanges: [...EXCHANGES, { ...created, sentAt: 94 }] };
    expect(brokenIn({ ...beside, log: [other, ...LOG] })).toEqual(['not completed once']);
  });

  it('finds what a subscriber was not told, told in disorder, or told though it never was', () => {
    const told = LOG.map(toldOf);
    const [first, second, third, fourth] = told;
    const of = (...some: (Told | undefined)[]): Told[] => some.flatMap((one) => one ?? []);
    expect(brokenIn({ told })).toEqual([]);
    expect(brokenIn({ told: of(first, second, first, second, third, third, fourth) })).toEqual([]);
    expect(brokenIn({ told: of(first, second, third) })).toEqual(['not delivered']);
    expect(brokenIn({ told: of(first, third, second, fourth) })).toContain('not delivered');
    expect(brokenIn({ told: of(...told, { ...toldOf(LOG[0] ?? LOG[1]), id: 'phantom', seq: 5 }) })).toEqual([
      'not delivered',
    ]);
    expect(brokenIn({ told, gaps: 1 })).toEqual(['not delivered']);
  });

  it('finds a task that waited too long for a dead agent, but grants outages', () => {
    const silences = new Map([['a', [{ from: 350, to: Infinity }]]]);
    expect(brokenIn({ ...inherited(4_340), silences })).toEqual([]);
    expect(brokenIn({ ...inherited(4_360), silences })).toEqual(['offered late']);
    expect(brokenIn({ ...inherited(5_360), silences, outages: [{ from: 1_000, to: 3_000 }] })).toEqual([]);
    expect(waitsForDead(history({ silences }), { log: inherited(4_360).log, tasks: [] })).toEqual([
      { task: 't', agent: 'a', waited: 4_010 },
    ]);
  });

  it('grants what a dead agent had on its way as long as the slowest answer of that moment', () => {
    const silences = new Map([['a', [{ from: 350, to: Infinity }]]]);
    const { log, exchanges } = inherited(4_700);
    const slow: Exchange = { ...by('c'), what: 'heartbeat', sentAt: 340, answeredAt: 750, status: 200 };
    expect(brokenIn({ log, exchanges: [...exchanges, slow], silences })).toEqual([]);
    expect(brokenIn({ log, exchanges: [...exchanges, { ...slow, ...by('a') }], silences })).toEqual([
      'offered late',
    ]);
    expect(brokenIn({ log, exchanges: [...exchanges, { ...slow, what: 'claim' }], silences })).toEqual([
      'offered late',
    ]);
  });

  it('finds a task that was taken from an agent that was alive', () => {
    expect(brokenIn(inherited(3_290))).toEqual(['taken early']);
    const beat: Exchange = { ...by('a'), what: 'heartbeat', sentAt: 2_000, answeredAt: 2_010, status: 200 };
    const { log, exchanges } = inherited(4_900);
    expect(brokenIn({ log, exchanges: [...exchanges, beat] })).toEqual(['taken early']);
    expect(
      brokenIn({ log, exchanges: [...exchanges, { ...beat, status: undefined, answeredAt: undefined }] }),
    ).toEqual([]);
    const anew: Exchange = { ...by('a'), what: 'register', sentAt: 4_000, answeredAt: 4_010, status: 200 };
    expect(brokenIn({ log, exchanges: [...exchanges, beat, anew] })).toEqual([]);
  });

  it('does not believe the log about the time, when the next holder knows better', () => {
    const { log, exchanges } = inherited(2_000);
    const shifted = log.map((entry) =>
      entry.event_type === 'task.retrying' ? { ...entry, timestamp: time(99_000) } : entry,
    );
    const claim: Exchange = {
      ...by('b'),
      what: 'claim',
      sentAt: 1_900,
      answeredAt: 2_020,
      status: 200,
      items: [{ task: 't', attempt: 2 }],
    };
    expect(brokenIn({ log: shifted, exchanges: [...exchanges, claim] })).toEqual(['taken early']);
  });

  it('finds every answer but yes, "stale" and "later"', () => {
    const [create] = EXCHANGES;
    const answered = (status: number, code: string): string[] =>
      brokenIn({ exchanges: [...EXCHANGES, ...(create === undefined ? [] : [{ ...create, status, code }])] });
    expect(answered(503, 'SERVICE_UNAVAILABLE')).toEqual([]);
    expect(answered(500, 'INTERNAL_ERROR')).toEqual(['answer']);
    expect(answered(409, 'CONFLICT')).toEqual(['answer']);
  });
});

/** What the checker says is broken, each once. */
function brokenIn(changed: Partial<History & Outcome> = {}): string[] {
  const outcome = { log: LOG, tasks: [ROW], ...changed };
  const findings = check(history({ exchanges: EXCHANGES, ...changed }), outcome, LEASE_MS);
  return [...new Set(findings.map(({ broken }) => broken))];
}

function history(changed: Partial<History>): History {
  return { exchanges: [], told: [], gaps: 0, silences: new Map(), outages: [], ...changed };
}

function event(
  type: string,
  seq: number,
  at: number,
  payload: object,
  source: string | null = null,
): LogEntry {
  return {
    id: `e${seq}`,
    event_type: type,
    seq,
    timestamp: time(at),
    source_agent: source,
    payload: { task_id: 't', ...payload },
  };
}

function toldOf(entry: LogEntry | undefined): Told {
  return {
    client: 's',
    id: entry?.id ?? '',
    type: entry?.event_type ?? '',
    aggregate: 't',
    seq: entry?.seq ?? 0,
  };
}

function by(agent: string): { client: string; agent: string } {
  return { client: `${agent}.1`, agent };
}

function time(at: number): string {
  return new Date(at).toISOString();
}
