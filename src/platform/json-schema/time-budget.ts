import { DomainError } from '../../shared/domain-error.js';

const WINDOW_MS = 10_000;
/** Of each window, for one owner; the checks of all stand in one line. More than one schema may take to compile. */
const SHARE_MS = 3_000;

/** Keeps one project's slow schemas from taking the time of the others' checks. */
export class TimeBudget {
  private readonly spent = new Map<string, number>();
  private windowEndsAt = 0;

  /** @throws DomainError RATE_LIMIT_EXCEEDED when `owner` has used up its time */
  assertLeft(owner: string): void {
    const now = performance.now();
    if (now >= this.windowEndsAt) {
      this.spent.clear();
      this.windowEndsAt = now + WINDOW_MS;
    }
    if ((this.spent.get(owner) ?? 0) < SHARE_MS) return;
    throw new DomainError(
      'RATE_LIMIT_EXCEEDED',
      'Checking by the schemas of this project has taken too long; simplify their patterns and references.',
      { retry_after: Math.ceil((this.windowEndsAt - now) / 1_000) },
    );
  }

  spend(owner: string, ms: number): void {
    this.spent.set(owner, (this.spent.get(owner) ?? 0) + ms);
  }
}
