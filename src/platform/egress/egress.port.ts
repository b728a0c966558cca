/** A call to an address that a client gave: a health check, a callback, a webhook. */
export interface OutgoingCall {
  /** `http` or `https`, without credentials. */
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Ends the call early, as the deadline does. */
  readonly signal?: AbortSignal;
}

/** What was answered, whatever the status: redirects are answers too and are not followed. */
export interface OutgoingAnswer {
  readonly status: number;
  /** Names in lower case; several of one name are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The first 64 KiB, read as UTF-8. */
  readonly body: string;
}

/**
 * Why a call came to no answer. `refused`: the URL or its address is not allowed, and nothing was sent. `unresolved`: the
 * name has no address. `unreachable`: no connection, a broken one, or no HTTP. `timed_out`: no whole answer within the
 * deadline. `cancelled`: the caller's signal ended it.
 */
export type EgressFailure = 'refused' | 'unresolved' | 'unreachable' | 'timed_out' | 'cancelled';

/** A call that came to no answer. The message may be shown to the client: it holds no address of this network. */
export class EgressError extends Error {
  override readonly name = 'EgressError';

  constructor(
    readonly reason: EgressFailure,
    message: string,
  ) {
    super(message);
  }
}

/**
 * The one way out to addresses that clients give. All addresses of a name are looked up and none may be outside the
 * public internet, but for what the operator allows (EGRESS_ALLOW); the connection goes to an address that was checked,
 * so a name that answers differently a moment later gains nothing. A call takes at most 10 s in all.
 */
export abstract class Egress {
  /** @throws EgressError when there is no answer */
  abstract call(call: OutgoingCall): Promise<OutgoingAnswer>;
}
