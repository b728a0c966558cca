/**
 * What this process knows of routes: that a claim found nothing on them, and nothing was announced since. A long poll on
 * such routes need not claim before it waits. It is a hint like all news: the dispatcher's sweep looks at Postgres.
 */
export class RouteNews {
  private latest = 0;
  private readonly newsOf = new Map<number, number>();
  private readonly emptyAt = new Map<number, number>();

  /** The moment, as news count it; taken before a claim is sent. */
  get now(): number {
    return this.latest;
  }

  /** There is work, or may be. */
  announce(route: number): void {
    this.latest += 1;
    this.newsOf.set(route, this.latest);
  }

  /** A claim that was sent at `since` took all that there was. What was announced meanwhile it may have missed. */
  exhausted(route: number, since: number): void {
    const news = this.newsOf.get(route) ?? 0;
    if (news <= since) this.emptyAt.set(route, news);
  }

  isEmpty(route: number): boolean {
    return this.emptyAt.get(route) === (this.newsOf.get(route) ?? 0);
  }
}
