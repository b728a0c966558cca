/** Field → the value it must have, or a list of which it must have one. */
export type EventFilter = Readonly<Record<string, unknown>>;

/** Does the envelope pass? A name is looked up among the payload's fields first, then among the envelope's (CONTRACT §6). */
export function passes(
  filter: EventFilter,
  envelope: { readonly payload: Readonly<Record<string, unknown>> },
): boolean {
  return Object.entries(filter).every(([name, wanted]) => {
    const holder = Object.hasOwn(envelope.payload, name) ? envelope.payload : envelope;
    if (!Object.hasOwn(holder, name)) return false;
    const value: unknown = Reflect.get(holder, name);
    return Array.isArray(wanted) ? wanted.includes(value) : wanted === value;
  });
}
