import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { REQUEST_STATUSES } from '../../shared/words.js';
import {
  type AgentRequest,
  type AgentResponse,
  assertCallback,
  createRequest,
  decideRequest,
  isAbsoluteCallback,
  type NewRequest,
  REQUEST_TRANSITIONS,
  type RequestCommand,
  type RequestStatus,
} from './request.js';

const NOW = '2026-01-01T00:00:00.000Z';
const LATER = '2026-01-01T00:00:30.000Z';
const DEADLINE = '2026-01-01T00:01:00.000Z';

const NEW: NewRequest = {
  id: 'req-001',
  project_id: 'p',
  body_hash: '',
  type: 'generate_code',
  source: 'asker',
  source_mailbox: 'p asker',
  target: 'coder',
  mailbox: 'p coder',
  correlation_id: 'workflow-123',
  data: { template_id: 'express-api' },
  timeout: 60,
  callback_url: null,
};

const RESPONSE: AgentResponse = {
  id: 'resp-001',
  request_id: 'req-001',
  status: 'success',
  data: { execution_time: 45.2 },
  errors: [],
};

const answer = (more: Partial<Extract<RequestCommand, { kind: 'answer' }>> = {}): RequestCommand => ({
  kind: 'answer',
  by: 'p coder',
  response: RESPONSE,
  isRepeat: false,
  ...more,
});
const TIME_OUT: RequestCommand = { kind: 'time_out' };

const COMMANDS: Readonly<Record<RequestCommand['kind'], { command: RequestCommand; at: string }>> = {
  answer: { command: answer(), at: LATER },
  time_out: { command: TIME_OUT, at: DEADLINE },
};

function requestThatIs(status: RequestStatus): AgentRequest {
  const request = createRequest(NEW, NOW);
  if (status === 'pending') return request;
  const { command, at } = COMMANDS[status === 'answered' ? 'answer' : 'time_out'];
  return decideRequest(request, command, at);
}

const refusal = (code: string, details?: object) =>
  expect.objectContaining(details === undefined ? { code } : { code, details });

describe('a request', () => {
  it('begins pending, with its deadline', () => {
    expect(createRequest(NEW, NOW)).toEqual({
      ...NEW,
      status: 'pending',
      response: null,
      seq: 1,
      deadline_at: DEADLINE,
      created_at: NOW,
      updated_at: NOW,
      ended_at: null,
    });
  });

  it.each(
    REQUEST_STATUSES.flatMap((from) =>
      (['answer', 'time_out'] as const).map((kind) => [from, kind] as const),
    ),
  )('that is %s takes "%s" as the table says, or refuses it', (from, kind) => {
    const request = requestThatIs(from);
    const { command, at } = COMMANDS[kind];
    const table: Partial<Record<RequestStatus, RequestStatus>> = REQUEST_TRANSITIONS[kind];
    const to = table[from];
    if (to === undefined) {
      expect(() => decideRequest(request, command, at)).toThrow(refusal('INVALID_TRANSITION'));
      return;
    }
    const changed = { status: to, seq: 2, updated_at: at, ended_at: at };
    const response = kind === 'answer' ? RESPONSE : null;
    expect(decideRequest(request, command, at)).toEqual({ ...request, ...changed, response });
  });

  it('takes the response that it has once more, and no other', () => {
    const answered = requestThatIs('answered');
    expect(decideRequest(answered, answer({ isRepeat: true }), DEADLINE)).toBe(answered);
    expect(() => decideRequest(answered, answer(), LATER)).toThrow(
      refusal('INVALID_TRANSITION', { from: 'answered', to: 'answered' }),
    );
  });

  it('is answered by its target alone, whatever state it is in', () => {
    for (const status of REQUEST_STATUSES) {
      for (const by of ['p asker', '* coder', 'q coder', null]) {
        const forged = answer({ by, isRepeat: true });
        expect(() => decideRequest(requestThatIs(status), forged, LATER)).toThrow(refusal('FORBIDDEN'));
      }
    }
  });

  it('is answered too late from its deadline on, though nobody has ended it yet', () => {
    const pending = requestThatIs('pending');
    expect(decideRequest(pending, answer(), '2026-01-01T00:00:59.999Z').status).toBe('answered');
    expect(() => decideRequest(pending, answer(), DEADLINE)).toThrow(
      refusal('INVALID_TRANSITION', { from: 'timed_out', to: 'answered' }),
    );
  });

  it('does not time out before its deadline', () => {
    const pending = requestThatIs('pending');
    expect(decideRequest(pending, TIME_OUT, '2026-01-01T00:00:59.999Z')).toBe(pending);
  });

  it('ends once, with one response at most, whatever is tried: 100,000 commands', () => {
    const arbitrary = fc.record({
      kind: fc.constantFrom('answer' as const, 'answer' as const, 'time_out' as const),
      by: fc.constantFrom('p coder', 'p coder', 'p coder', 'p asker', null),
      id: fc.constantFrom('r1', 'r2'),
      wait: fc.integer({ min: 0, max: 20_000 }),
    });
    fc.assert(
      fc.property(fc.array(arbitrary, { minLength: 20, maxLength: 20 }), (tries) => {
        let request = createRequest(NEW, NOW);
        let clock = Date.parse(NOW);
        let accepted: string | undefined;
        let ends = 0;
        for (const { kind, by, id, wait } of tries) {
          clock += wait;
          const now = new Date(clock).toISOString();
          const isOver = clock >= Date.parse(DEADLINE);
          const isRepeat = request.response?.id === id;
          const response = { ...RESPONSE, id };
          const command: RequestCommand = kind === 'answer' ? { kind, by, response, isRepeat } : { kind };
          const isOpen = ends === 0;
          const allowed =
            kind === 'time_out' ? isOpen : by === 'p coder' && ((isOpen && !isOver) || accepted === id);
          let next: AgentRequest | undefined;
          try {
            next = decideRequest(request, command, now);
          } catch {
            next = undefined;
          }
          if ((next !== undefined) !== allowed) throw new Error(`${kind}, allowed: ${allowed}`);
          if (next === undefined || next === request) continue;
          ends += 1;
          if (kind === 'answer') accepted = id;
          if (next.seq !== 2 || isOver !== (next.status === 'timed_out'))
            throw new Error(JSON.stringify(next));
          request = next;
        }
        expect(ends).toBeLessThanOrEqual(1);
        expect(request.response?.id).toBe(accepted);
        expect(request.status === 'answered').toBe(accepted !== undefined);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('a callback_url', () => {
  it.each([
    [null, null],
    ['/api/v1/callbacks/req-001', null],
    ['https://example.com/done?x=1', 'asker'],
    ['http://10.0.0.1:8080/', 'asker'],
  ])('may be %s of %s', (url, source) => {
    expect(() => assertCallback(url, 'req-001', source)).not.toThrow();
    expect(isAbsoluteCallback(url)).toBe(url?.startsWith('http') ?? false);
  });

  it.each([
    ['/api/v1/callbacks/req-002', 'asker', 'must be /api/v1/callbacks/req-001, or absolute'],
    ['/elsewhere', 'asker', 'must be /api/v1/callbacks/req-001, or absolute'],
    ['//example.com/x', 'asker', 'must be /api/v1/callbacks/req-001, or absolute'],
    ['ftp://example.com/', 'asker', 'must be an http or https URL without credentials'],
    ['https://me:secret@example.com/', 'asker', 'must be an http or https URL without credentials'],
    ['done', 'asker', 'must be an http or https URL without credentials'],
    ['https://example.com/', null, expect.stringContaining('needs a source')],
  ])('cannot be %s of %s', (url, source, message) => {
    expect(() => assertCallback(url, 'req-001', source)).toThrow(
      refusal('VALIDATION_FAILED', { errors: [{ path: '/callback_url', message }] }),
    );
  });
});
