import { validationFailed } from '../../shared/domain-error.js';

/** Field → the value it must have, or a list of which it must have one. */
export type EventFilter = Readonly<Record<string, unknown>>;

const MOST_FIELDS = 50;
const MOST_VALUES = 200;

/** What it costs to look at each event is bounded. @throws DomainError VALIDATION_FAILED that names the place */
export function assertFilter(filter: EventFilter, path: string): void {
  const fields = Object.entries(filter);
  if (fields.length > MOST_FIELDS)
    throw validationFailed([{ path, message: `must have at most ${MOST_FIELDS} fields` }]);
  const tooLong = fields.find(([, wanted]) => Array.isArray(wanted) && wanted.length > MOST_VALUES);
  if (tooLong === undefined) return;
  const place = tooLong[0].replaceAll('~', '~0').replaceAll('/', '~1');
  throw validationFailed([{ path: `${path}/${place}`, message: `must list at most ${MOST_VALUES} values` }]);
}

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
