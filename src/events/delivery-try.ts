import { Injectable } from '@nestjs/common';
import { Egress, EgressError } from '../platform/egress/egress.port.js';
import { hopeless, unanswered, type Verdict, verdictOf } from './domain/delivery.js';
import type { DueDelivery } from './persistence/delivery-rows.js';
import { signatureHeaders } from './webhook-signature.js';

/** One POST to a receiver. */
@Injectable()
export class DeliveryTry {
  constructor(private readonly egress: Egress) {}

  /**
   * @param secret of the agent that it is for; undefined: that is not registered any more
   * @returns undefined when `signal` ended it
   */
  async make(
    delivery: DueDelivery,
    secret: string | undefined,
    signal: AbortSignal,
  ): Promise<Verdict | undefined> {
    const { obstacle, url, webhook_id: id, body, attempt } = delivery;
    if (obstacle !== null) return hopeless(obstacle);
    if (secret === undefined)
      return hopeless('the agent that it is for is not registered any more, so nothing can sign it');
    // The receiver compares it with its own clock.
    const timestamp = Math.floor(Date.now() / 1000);
    const headers = {
      'content-type': 'application/json',
      ...signatureHeaders({ id, timestamp, body }, secret),
    };
    try {
      const answer = await this.egress.call({ url, method: 'POST', headers, body, signal });
      const { status, headers: answered } = answer;
      return verdictOf({ status, retryAfter: answered['retry-after'] }, attempt, Date.now());
    } catch (error) {
      if (!(error instanceof EgressError)) throw error;
      if (error.reason === 'cancelled') return undefined;
      return error.reason === 'refused' ? hopeless(error.message) : unanswered(error.message, attempt);
    }
  }
}
