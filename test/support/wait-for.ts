import { setTimeout as delay } from 'node:timers/promises';
import { types } from 'node:util';

const LOOK_MS = 20;

/**
 * Looks until the condition answers with something, and answers with that. False, null, undefined and a throw (an
 * expectation that does not hold yet) mean: look again.
 * @param within longest wait in ms, default 10,000
 * @throws what the condition threw last, or that it did not come true
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { within = 10_000 }: { within?: number } = {},
): Promise<Exclude<T, false | null | undefined>> {
  const giveUpAt = Date.now() + within;
  for (;;) {
    let problem: unknown;
    try {
      const found = await condition();
      if (found !== false && found !== null && found !== undefined) {
        return found as Exclude<T, false | null | undefined>;
      }
    } catch (error) {
      problem = error;
    }
    if (Date.now() > giveUpAt) {
      // Those of Node's own modules come from outside the test's realm, so that they are no `instanceof Error`.
      throw types.isNativeError(problem)
        ? problem
        : new Error(`not within ${within} ms: ${condition.toString()}`);
    }
    await delay(LOOK_MS);
  }
}
