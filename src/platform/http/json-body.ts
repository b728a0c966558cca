import { validationFailed, type DomainError } from '../../shared/domain-error.js';

const MAX_DEPTH = 32;
const MAX_KEYS = 10_000;
/** Postgres writes numbers out: `1e300` comes back as 301 digits. So many characters may that add to a body. */
const MAX_ADDED_DIGITS = 65_536;
const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
/** What Postgres cannot store: NUL, and halves of surrogate pairs. */
// oxlint-disable-next-line no-control-regex -- NUL is what it looks for
const UNSTORABLE = /[\u0000\p{Surrogate}]/u;

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];
const [OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/**
 * JSON.parse within the limits of CONTRACT §8. Depth and keys are counted on the text, so a hostile body is refused
 * before anything is built from it. @throws DomainError VALIDATION_FAILED
 */
export function parseJson(text: string): unknown {
  const keys = measure(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw refused('is not valid JSON');
  }
  // Control characters and lone surrogates can only be written as \u escapes.
  if (keysOf(value, text.includes('\\u')) < keys) throw refused('has a key twice in one object');
  return value;
}

/** The same limits for a value that something else has parsed: a socket's message. @throws DomainError VALIDATION_FAILED */
export function checkJson(value: unknown): void {
  if (keysOf(value, true) > MAX_KEYS) throw refused(`has more than ${MAX_KEYS} keys`);
}

/** Keys in the text; one linear pass that jumps over strings. */
function measure(text: string): number {
  let depth = 0;
  let keys = 0;
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) at = endOfString(text, at);
    else if (code === COLON) keys += 1;
    else if (code === OPEN_LIST || code === OPEN_OBJECT) depth += 1;
    else if (code === CLOSE_LIST || code === CLOSE_OBJECT) depth -= 1;
    if (depth > MAX_DEPTH) throw refused(`is nested deeper than ${MAX_DEPTH} levels`);
    if (keys > MAX_KEYS) throw refused(`has more than ${MAX_KEYS} keys`);
  }
  return keys;
}

/** Where the string that opens at `start` closes; the end of the text if it does not. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end === -1 ? text.length : end;
}

function isEscaped(text: string, at: number): boolean {
  let first = at;
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1;
  return (at - first) % 2 === 1;
}

/** What was met in a value so far. */
interface Found {
  keys: number;
  /** Characters by which its numbers grow when they are written out. */
  addedDigits: number;
}

/** Keys in the value; refuses what no field may hold. */
function keysOf(value: unknown, mayBeUnstorable: boolean): number {
  const found: Found = { keys: 0, addedDigits: 0 };
  inspect(value, mayBeUnstorable, found, 0);
  return found.keys;
}

function inspect(value: unknown, mayBeUnstorable: boolean, found: Found, depth: number): void {
  if (typeof value === 'string') inspectText(value, mayBeUnstorable);
  else if (typeof value === 'number') inspectNumber(value, found);
  else if (typeof value === 'object' && value !== null) {
    if (depth === MAX_DEPTH) throw refused(`is nested deeper than ${MAX_DEPTH} levels`);
    if (Array.isArray(value)) {
      for (const item of value) inspect(item, mayBeUnstorable, found, depth + 1);
      return;
    }
    for (const [key, item] of Object.entries(value)) {
      if (FORBIDDEN_KEYS.has(key)) throw refused(`must not use the key ${key}`);
      found.keys += 1;
      inspectText(key, mayBeUnstorable);
      inspect(item, mayBeUnstorable, found, depth + 1);
    }
  }
}

function inspectText(text: string, mayBeUnstorable: boolean): void {
  if (mayBeUnstorable && UNSTORABLE.test(text))
    throw refused('holds a NUL character or half of a surrogate pair');
}

function inspectNumber(value: number, found: Found): void {
  if (!Number.isFinite(value)) throw refused('holds a number that is too large');
  const size = Math.abs(value);
  // JavaScript writes what lies between as Postgres does.
  if (size < 1e21 && (size >= 1e-6 || size === 0)) return;
  found.addedDigits += Math.abs(Math.log10(size));
  if (found.addedDigits > MAX_ADDED_DIGITS) {
    throw refused(
      `holds numbers with large exponents that take more than ${MAX_ADDED_DIGITS} digits written out; give them as strings`,
    );
  }
}

function refused(problem: string): DomainError {
  return validationFailed([{ path: '', message: `the body ${problem}` }]);
}
