import { IncomingMessage } from 'node:http';

const SOCKETS = /^\/ws([/?]|$)/;

/**
 * A request that may be upgraded on the sockets' path alone. Elsewhere the offer is ignored, as RFC 9110 §7.8 allows: clients
 * that offer `Upgrade: h2c` with every request (Java's HttpClient, curl --http2) are then answered over HTTP/1.1. Node by
 * itself takes every such connection away from HTTP as soon as anybody listens for upgrades.
 */
export class IncomingRequest extends IncomingMessage {
  private offersUpgrade: boolean | null;

  get upgrade(): boolean | null {
    const isTaken = this.method === 'CONNECT' || SOCKETS.test(this.url ?? '');
    return isTaken ? this.offersUpgrade : false;
  }

  /** Node's parser sets it. */
  set upgrade(offers: boolean | null) {
    this.offersUpgrade = offers;
  }
}
