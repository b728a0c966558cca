import { AddressPolicy } from './address-policy.js';
import { assertHost, checkedLookup, type Resolver, systemResolver } from './checked-lookup.js';
import { Egress, EgressError, type OutgoingAnswer, type OutgoingCall } from './egress.port.js';

/** For everything: the look-up, the connection, the answer to its last byte. */
const DEADLINE_MS = 10_000;

/**
 * Calls by undici, each over a connection of its own: none is kept open that was checked long ago, and none is left
 * behind.
 */
export class UndiciEgress extends Egress {
  private readonly policy: AddressPolicy;

  /** @param allow CIDR blocks beside the public internet */
  constructor(
    allow: readonly string[],
    private readonly resolve: Resolver = systemResolver,
  ) {
    super();
    this.policy = new AddressPolicy(allow);
  }

  async call(call: OutgoingCall): Promise<OutgoingAnswer> {
    const url = outgoingUrl(call.url);
    assertHost(url.hostname, this.policy);
    // Loaded when it is first needed: no start waits for it.
    const { exchange } = await import('./exchange.js');
    const deadline = AbortSignal.timeout(DEADLINE_MS);
    const { signal: cancelled } = call;
    const signal = cancelled === undefined ? deadline : AbortSignal.any([deadline, cancelled]);
    const lookup = checkedLookup(this.resolve, this.policy);
    try {
      return await exchange(url, call, { lookup, deadlineMs: DEADLINE_MS, signal });
    } catch (error) {
      if (cancelled?.aborted === true) throw new EgressError('cancelled', 'the call was cancelled');
      throw deadline.aborted ? timedOut() : toEgressError(error, url.hostname);
    }
  }
}

/** @throws EgressError `refused` */
function outgoingUrl(text: string): URL {
  if (!URL.canParse(text)) throw new EgressError('refused', 'the URL cannot be read');
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new EgressError('refused', `the URL's scheme is ${url.protocol} and has to be http or https`);
  if (url.username !== '' || url.password !== '')
    throw new EgressError('refused', 'the URL holds credentials');
  return url;
}

/** What went wrong on the wire; a defect of ours stays what it is. */
function toEgressError(error: unknown, host: string): unknown {
  if (error instanceof EgressError) return error;
  const code = codeOf(error);
  if (code === undefined) return error;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return timedOut();
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return new EgressError('unresolved', `'${host}' has no address (${code})`);
  return new EgressError('unreachable', `no answer (${code})`);
}

function timedOut(): EgressError {
  return new EgressError('timed_out', `no answer within ${DEADLINE_MS / 1000} s`);
}

function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
}
