/** Says what is wrong with a value, or nothing. The text completes the sentence "this field …". */
export type Check = (value: unknown) => string | undefined;

const TIME = /^(?!0000)(\d{4}-\d{2}-\d{2})T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

export function textCheck(min: number, max: number, pattern?: RegExp): Check {
  return (value) => {
    if (typeof value !== 'string') return 'must be a text';
    if (value.length < min || value.length > max) return `must have ${min} to ${max} characters`;
    if (pattern !== undefined && !pattern.test(value)) return `must match ${pattern.source}`;
    return undefined;
  };
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
  const day = typeof value === 'string' ? TIME.exec(value)?.[1] : undefined;
  const exists = day !== undefined && !Number.isNaN(Date.parse(String(value))) && isCalendarDay(day);
  return exists ? undefined : 'must be an ISO 8601 time such as 2025-01-15T14:30:00Z';
};

/** Date.parse takes 30 February for 2 March, and Postgres refuses it. */
function isCalendarDay(day: string): boolean {
  return new Date(`${day}T00:00:00Z`).toISOString().startsWith(day);
}

export const objectCheck: Check = (value) =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? undefined : 'must be a JSON object';

export function listCheck(max: number, item?: Check): Check {
  return (value) => {
    if (!Array.isArray(value)) return 'must be a list';
    if (value.length > max) return `must have at most ${max} items`;
    if (item === undefined) return undefined;
    for (const [index, one] of value.entries()) {
      const problem = item(one);
      if (problem !== undefined) return `item ${index} ${problem}`;
    }
    return undefined;
  };
}
