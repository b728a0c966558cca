import type { Envelope } from '../../src/events/index.js';
import { type Told, groupBy } from './history.js';

/** What one reader asked for. Of several, one has to want an event. */
export interface Wish {
  readonly topics: readonly string[];
  readonly filters: Readonly<Record<string, unknown>>;
}

export interface Reader {
  readonly name: string;
  readonly wishes: readonly Wish[];
}

/** What is wrong with what readers were told: each has exactly its set, and each aggregate's in order. */
export function deliveryFaults(
  readers: readonly Reader[],
  told: readonly Told[],
  log: readonly Envelope[],
): string[] {
  const byReader = groupBy(told, ({ client }) => client);
  return readers.flatMap(({ name, wishes }) => {
    const faults: string[] = [];
    const seen = new Set<string>();
    const last = new Map<string, number>();
    for (const { id, aggregate, seq, type } of byReader.get(name) ?? []) {
      if (seen.has(id)) continue;
      seen.add(id);
      if (seq <= (last.get(aggregate) ?? 0))
        faults.push(`${name} was told ${type} ${seq} of ${aggregate} after ${last.get(aggregate)}`);
      last.set(aggregate, seq);
    }
    const wanted = new Set(log.filter((event) => isWanted(wishes, event)).map(({ id }) => id));
    for (const id of seen) if (!wanted.has(id)) faults.push(`${name} was told ${id}, which it did not want`);
    for (const id of wanted) if (!seen.has(id)) faults.push(`${name} was never told ${id}`);
    return faults;
  });
}

/** The rule as CONTRACT §6 has it, made without the product's own code. */
export function isWanted(wishes: readonly Wish[], event: Envelope): boolean {
  return wishes.some(
    ({ topics, filters }) =>
      topics.some((pattern) => [event.topic, event.event_type].some((name) => matches(pattern, name))) &&
      Object.entries(filters).every(([field, value]) => {
        const holder = field in event.payload ? event.payload : event;
        return field in holder && [value].flat().includes(Reflect.get(holder, field));
      }),
  );
}

function matches(pattern: string, name: string): boolean {
  const same = (text: string): string[] => text.replace(/^system\.alerts$/, 'system.alert').split('.');
  const [wanted, segments] = [same(pattern), same(name)];
  const isOpen = wanted.at(-1) === '#';
  const fixed = isOpen ? wanted.slice(0, -1) : wanted;
  if (isOpen ? segments.length < fixed.length : segments.length !== fixed.length) return false;
  return fixed.every((segment, at) => segment === '*' || segment === segments[at]);
}
