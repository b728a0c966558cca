import { DomainError, invalidTransition, validationFailed } from '../../shared/domain-error.js';
import { isWebUrl } from '../../shared/web-url.js';
import type { REQUEST_STATUSES } from '../../shared/words.js';

export type RequestStatus = (typeof REQUEST_STATUSES)[number];

export const RESPONSE_STATUSES = ['success', 'error'] as const;

/** What an agent answers to a request: the seed's response. */
export interface AgentResponse {
  readonly id: string;
  readonly request_id: string;
  readonly status: (typeof RESPONSE_STATUSES)[number];
  readonly data: Readonly<Record<string, unknown>>;
  readonly errors: readonly unknown[];
}

/** A request to be made, with all that was looked up for it before. */
export interface NewRequest {
  readonly id: string;
  readonly project_id: string;
  readonly body_hash: string;
  /** What the target is asked to do: a word between the two agents. */
  readonly type: string;
  /** The agent that asks; null: a client that speaks as none. */
  readonly source: string | null;
  readonly source_mailbox: string | null;
  readonly target: string;
  /** The target's. */
  readonly mailbox: string;
  readonly correlation_id: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** Seconds. */
  readonly timeout: number;
  /** Where the response is posted to; null or relative: it is read here. */
  readonly callback_url: string | null;
}

/** A request as it is stored. Times are ISO 8601 of the database's clock. */
export interface AgentRequest extends NewRequest {
  readonly deadline_at: string;
  readonly status: RequestStatus;
  readonly response: AgentResponse | null;
  /** Events of this request so far. */
  readonly seq: number;
  readonly created_at: string;
  readonly updated_at: string;
  readonly ended_at: string | null;
}

export type RequestCommand =
  | {
      readonly kind: 'answer';
      /** The mailbox of the agent that answers; null: no agent. */
      readonly by: string | null;
      readonly response: AgentResponse;
      /** It is the very response that is stored. */
      readonly isRepeat: boolean;
    }
  | { readonly kind: 'time_out' };

/** The states that each command may find, and where it leads from there. */
export const REQUEST_TRANSITIONS = {
  answer: { pending: 'answered' },
  time_out: { pending: 'timed_out' },
} as const satisfies Record<RequestCommand['kind'], Partial<Record<RequestStatus, RequestStatus>>>;

export function createRequest(request: NewRequest, now: string): AgentRequest {
  return {
    ...request,
    deadline_at: new Date(Date.parse(now) + request.timeout * 1000).toISOString(),
    status: 'pending',
    response: null,
    seq: 1,
    created_at: now,
    updated_at: now,
    ended_at: null,
  };
}

/**
 * The request after a command; the very same object where nothing has changed: a response that is repeated, a deadline
 * that has not come.
 * @throws DomainError FORBIDDEN for an answer by anyone but the target · INVALID_TRANSITION for a second or a late one
 */
export function decideRequest(request: AgentRequest, command: RequestCommand, now: string): AgentRequest {
  if (command.kind === 'time_out') {
    if (request.status === 'pending' && now < request.deadline_at) return request;
    return ended(request, 'time_out', null, now);
  }
  if (command.by !== request.mailbox) {
    const problem = `Request '${request.id}' is for agent '${request.target}' alone to answer.`;
    throw new DomainError('FORBIDDEN', problem, { request_id: request.id });
  }
  if (request.status === 'answered' && command.isRepeat) return request;
  // Whether the sweep has come already makes no difference.
  const isLate = request.status === 'pending' && now >= request.deadline_at;
  if (isLate) throw invalidTransition('request', 'timed_out', 'answered');
  return ended(request, 'answer', command.response, now);
}

function ended(
  request: AgentRequest,
  command: RequestCommand['kind'],
  response: AgentResponse | null,
  now: string,
): AgentRequest {
  const next = REQUEST_TRANSITIONS[command];
  if (request.status !== 'pending') throw invalidTransition('request', request.status, next.pending);
  const seq = request.seq + 1;
  return { ...request, status: next.pending, response, seq, updated_at: now, ended_at: now };
}

/** Where a response is delivered to: an absolute URL is called, a relative one is the address it can be read at anyway. */
export function isAbsoluteCallback(url: string | null): url is string {
  return url !== null && !url.startsWith('/');
}

/**
 * @param source the agent that asks: its webhook secret signs what is delivered
 * @throws DomainError VALIDATION_FAILED
 */
export function assertCallback(url: string | null, requestId: string, source: string | null): void {
  if (url === null) return;
  const own = `/api/v1/callbacks/${requestId}`;
  const problem = isAbsoluteCallback(url)
    ? absoluteProblem(url, source)
    : url === own
      ? undefined
      : `must be ${own}, or absolute`;
  if (problem !== undefined) throw validationFailed([{ path: '/callback_url', message: problem }]);
}

function absoluteProblem(url: string, source: string | null): string | undefined {
  if (!isWebUrl(url)) return 'must be an http or https URL without credentials';
  if (source !== null) return undefined;
  return 'needs a source: the agent whose webhook_secret signs what is delivered; name one, or leave the URL out and read the response here';
}
