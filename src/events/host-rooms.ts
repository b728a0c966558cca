/** How many calls each host may still get: a host that does not answer must not hold up the others. */
export class HostRooms {
  private readonly running = new Map<string, number>();

  /** @param room calls to one host at the same time */
  constructor(private readonly room: number) {}

  /** @returns what ends the call */
  enter(host: string): () => void {
    this.running.set(host, (this.running.get(host) ?? 0) + 1);
    return () => {
      const left = (this.running.get(host) ?? 0) - 1;
      if (left > 0) this.running.set(host, left);
      else this.running.delete(host);
    };
  }

  /** The hosts that are being called, and how many more calls each may get, pairwise. */
  taken(): { readonly hosts: string[]; readonly left: number[] } {
    const left = [...this.running.values()].map((count) => Math.max(this.room - count, 0));
    return { hosts: [...this.running.keys()], left };
  }
}
