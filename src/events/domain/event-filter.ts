/** Field → the value it must have, or a list of which it must have one. */
export type EventFilter = Readonly<Record<string, unknown>>;

/** Does the envelope pass? A name is looked up among the payload's fields first, then among the envelope's (CONTRACT §6). */
export function passes(
  filter: EventFilter,
  envelope: { readonly payload: Readonly<Record<string, unknown>> },
): boolean {
  for (const [name, wanted] of Object.entries(filter)) {
    const value: unknown = Reflect.get(name in envelope.payload ? envelope.payload : envelope, name);
    const fits = Array.isArray(wanted) ? wanted.includes(value) : wanted === value;
    if (!fits) return false;
  }
  return true;
}
