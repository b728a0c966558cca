/** Says what is wrong with a value, or nothing. The text completes the sentence "this field …". */
export type Check = (value: unknown) => string | undefined;

/** RFC 3339, of the years that both Postgres and four digits can tell, with the offsets that exist (Postgres ends at 15:59). */
export const TIME_PATTERN =
  /^([1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$/;

/** The last instant whose year has four digits in UTC, in ms. */
const LAST_TIME = Date.parse('9999-12-31T23:59:59.999Z');

export function textCheck(min: number, max: number, pattern?: RegExp): Check {
  return (value) => {
    if (typeof value !== 'string') return 'must be a text';
    if (value.length < min || exceeds(value, max)) return `must have ${min} to ${max} characters`;
    if (pattern !== undefined && !pattern.test(value)) return `must match ${pattern.source}`;
    return undefined;
  };
}

const PAIR = /[\uD800-\uDBFF][\uDC00-\uDFFF]/g;

/** Characters are code points, as in JSON Schema; a text has as many UTF-16 units at least, and twice as many at most. */
function exceeds(text: string, max: number): boolean {
  return text.length > max && (text.length > 2 * max || text.replaceAll(PAIR, '_').length > max);
}

export function numberCheck(min: number, max: number, whole: boolean): Check {
  const kind = whole ? 'a whole number' : 'a number';
  return (value) => {
    const isOne = typeof value === 'number' && (whole ? Number.isInteger(value) : Number.isFinite(value));
    return isOne && value >= min && value <= max ? undefined : `must be ${kind} from ${min} to ${max}`;
  };
}

export const booleanCheck: Check = (value) =>
  typeof value === 'boolean' ? undefined : 'must be true or false';

export function choiceCheck(values: readonly string[]): Check {
  return (value) =>
    typeof value === 'string' && values.includes(value) ? undefined : `must be one of ${values.join(', ')}`;
}

/** ISO 8601 date and time with an offset, of a day that exists. */
export const timeCheck: Check = (value) => {
  const day = typeof value === 'string' ? TIME_PATTERN.exec(value)?.[1] : undefined;
  const exists = day !== undefined && isCalendarDay(day) && Date.parse(String(value)) <= LAST_TIME;
  return exists ? undefined : 'must be an ISO 8601 time such as 2025-01-15T14:30:00Z';
};

/** Date.parse takes 30 February for 2 March, and Postgres refuses it. */
function isCalendarDay(day: string): boolean {
  const read = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(read) && new Date(read).toISOString().startsWith(day);
}

export function objectCheck(maxBytes?: number): Check {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be a JSON object';
    const isTooLarge = maxBytes !== undefined && Buffer.byteLength(JSON.stringify(value)) > maxBytes;
    return isTooLarge ? `must be at most ${maxBytes} bytes as JSON` : undefined;
  };
}

export function listCheck(max: number, item?: Check, min = 0): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'must be a list';
    if (value.length > max) return `must have at most ${max} items`;
    if (value.length < min) return `must have at least ${min} ${min === 1 ? 'item' : 'items'}`;
    if (item === undefined) return undefined;
    for (const [index, one] of value.entries()) {
      const problem = item(one);
      if (problem !== undefined) return `item ${index} ${problem}`;
    }
    return undefined;
  };
}
