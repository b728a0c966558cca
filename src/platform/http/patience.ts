/**
 * How long somebody waits for the answer to a request. Most requests never ask, so the signal is made for those that do:
 * two abort controllers a request were a fifth of an empty request's cost.
 */
export class Patience {
  private controller: AbortController | undefined;
  private over = false;

  /** Nobody waits for the answer any more, or the server is stopping. */
  get ended(): boolean {
    return this.over;
  }

  /** Aborted when it has ended; made when it is asked for. */
  get signal(): AbortSignal {
    if (this.controller === undefined) {
      this.controller = new AbortController();
      if (this.over) this.controller.abort(OVER);
    }
    return this.controller.signal;
  }

  end(): void {
    this.over = true;
    this.controller?.abort(OVER);
  }
}

/** Made once: a reason of its own for every signal would be an exception with a stack each. */
const OVER = new Error('Nobody waits for this answer any more.');
