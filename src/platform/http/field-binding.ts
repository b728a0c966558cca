import type { Type } from '@nestjs/common';
import { type FieldError, validationFailed } from '../../shared/domain-error.js';

/** How a declared field takes its value from a request. */
export interface Binding {
  /** What the text of a query string is read as. */
  readonly reads: 'text' | 'number' | 'boolean' | 'list' | 'json';
  /** The class of a nested object, or of the items of a nested list. A function, as classes may be declared later. */
  readonly nested?: () => Type<object>;
  readonly fallback?: unknown;
  readonly required: boolean;
  /** What it is, as JSON Schema (2020-12) but for what is nested. */
  readonly schema: Readonly<Record<string, unknown>>;
}

const BINDINGS = Symbol('field bindings');

/** Notes how `property` of a DTO class is bound; the fields of its parent class are its fields too. */
export function declareBinding(type: object, property: string, binding: Binding): void {
  const inherited = bindingsOf(type);
  Reflect.defineMetadata(BINDINGS, new Map(inherited).set(property, binding), type);
}

/** The declared fields of a DTO class; empty for any other class. */
export function bindingsOf(type: object): ReadonlyMap<string, Binding> {
  const bindings: unknown = Reflect.getMetadata(BINDINGS, type);
  // Only declareBinding writes under this symbol.
  return bindings instanceof Map ? (bindings as Map<string, Binding>) : new Map<string, Binding>();
}

/**
 * An instance of a DTO class that holds the declared fields of `source`, nested ones as instances of their classes, and
 * free JSON as the very objects that were sent. Undeclared fields are collected in `errors`.
 */
export function bindFields(type: Type<object>, source: object, errors: FieldError[], path = ''): object {
  const bindings = bindingsOf(type);
  const values: Record<string, unknown> = {};
  for (const [name, binding] of bindings) {
    if (binding.fallback !== undefined) values[name] = binding.fallback;
  }
  for (const [name, value] of Object.entries(source)) {
    const binding = bindings.get(name);
    const place = `${path}/${pointerPart(name)}`;
    if (binding === undefined) errors.push({ path: place, message: 'is not a field here' });
    else
      values[name] =
        binding.nested === undefined ? value : bindNested(binding.nested(), value, errors, place);
  }
  return Object.assign(new type(), values);
}

/** Fields of a query string: texts, read as what each field is declared to be. What cannot be read stays text. */
export function bindQuery(type: Type<object>, source: object, errors: FieldError[]): object {
  const bindings = bindingsOf(type);
  const values = Object.entries(source).map(([name, value]) => {
    if (hasNul(value) || hasNul(name))
      throw validationFailed([{ path: `/${pointerPart(name)}`, message: 'must not hold a NUL character' }]);
    return [name, readQueryValue(bindings.get(name)?.reads, value)] as const;
  });
  // Not by assignment, which would take a field named __proto__ for the object's own.
  return bindFields(type, Object.fromEntries(values), errors);
}

/** Postgres cannot store it, and no text of a URL needs it. */
export function hasNul(value: unknown): boolean {
  return Array.isArray(value) ? value.some(hasNul) : typeof value === 'string' && value.includes('\0');
}

/** One step of a JSON pointer (RFC 6901). */
export function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function bindNested(type: Type<object>, value: unknown, errors: FieldError[], path: string): unknown {
  if (Array.isArray(value))
    return value.map((item, index) => bindNested(type, item, errors, `${path}/${index}`));
  return typeof value === 'object' && value !== null ? bindFields(type, value, errors, path) : value;
}

function readQueryValue(reads: Binding['reads'] | undefined, value: unknown): unknown {
  if (reads === 'list')
    return [value].flat().flatMap((text) => (typeof text === 'string' ? text.split(',') : [text]));
  if (typeof value !== 'string') return value;
  if (reads === 'number') return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  if (reads === 'boolean') return value === 'true' ? true : value === 'false' ? false : value;
  return value;
}
