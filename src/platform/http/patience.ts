/** How long somebody waits for the answer to a request. Listeners, as an AbortController a request costs a tenth of it. */
export class Patience {
  private readonly listeners = new Set<() => void>();
  private over = false;

  /** Nobody waits for the answer any more, or the server is stopping. */
  get ended(): boolean {
    return this.over;
  }

  /**
   * Calls `listener` once, when it ends; at once when it has.
   * @returns takes the listener back
   */
  onEnd(listener: () => void): () => void {
    if (this.over) listener();
    else this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  end(): void {
    this.over = true;
    for (const listener of this.listeners) listener();
    this.listeners.clear();
  }
}
