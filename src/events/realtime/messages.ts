import { Injectable, type Type } from '@nestjs/common';
import { allows, type Scope } from '../../auth/index.js';
import { errorBody, type ErrorBody } from '../../platform/http/error-body.js';
import { checkJson } from '../../platform/http/json-body.js';
import { loggedRefusal } from '../../platform/http/logged-refusal.js';
import { validated } from '../../platform/http/validation.pipe.js';
import { newId } from '../../platform/new-id.js';
import { DomainError } from '../../shared/domain-error.js';
import type { Session } from './session.js';

/** A message that clients may send: who may, what it looks like, and what is done with it. */
export interface Message<T extends object> {
  readonly name: string;
  /** What it does, for /asyncapi.json. */
  readonly about: string;
  /** One of these lets a caller in; none: everybody may. */
  readonly scopes: readonly Scope[];
  readonly dto: Type<T>;
  /** @returns the `data` of the acknowledgement */
  readonly handle: (session: Session, body: T) => unknown;
}

/** A message as it was registered, whatever its body. */
export interface KnownMessage extends Omit<Message<object>, 'handle'> {
  readonly answer: (session: Session, body: unknown) => unknown;
}

export type Acknowledgement =
  { readonly ok: true; readonly data: unknown } | ({ readonly ok: false } & ErrorBody);

/** The messages that this server understands. Each feature brings its own; the gateway hears them all. */
@Injectable()
export class Messages {
  private readonly known = new Map<string, KnownMessage>();

  register<T extends object>({ name, about, scopes, dto, handle }: Message<T>): void {
    const answer = (session: Session, body: unknown): unknown => {
      if (scopes.length > 0 && !allows(session.caller.scopes, scopes)) {
        throw new DomainError('FORBIDDEN', `'${name}' needs one of the scopes ${scopes.join(', ')}.`);
      }
      return handle(session, validated(dto, body));
    };
    this.known.set(name, { name, about, scopes, dto, answer });
  }

  all(): KnownMessage[] {
    return [...this.known.values()];
  }

  /** Does what a message asks; every failure is the standard error. */
  async answer(name: string, session: Session, body: unknown): Promise<Acknowledgement> {
    const correlationId = newId();
    try {
      const message = this.known.get(name);
      if (message === undefined)
        throw new DomainError('NOT_FOUND', `There is no message '${name}'.`, {
          messages: [...this.known.keys()],
        });
      checkJson(body);
      const data = await message.answer(session, body ?? {});
      return { ok: true, data: data ?? {} };
    } catch (error) {
      return { ok: false, ...errorBody(loggedRefusal(error, correlationId), correlationId) };
    }
  }
}
