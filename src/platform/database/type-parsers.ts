import pg from 'pg';

const TIMESTAMPTZ = 1184;
const BIGINT = 20;

/**
 * `2026-11-23 00:38:09.166123+00` → `2026-11-23T00:38:09.166Z`. Strings of one form sort and compare as times do, and
 * need no Date on the way to the client. Every connection of ours speaks UTC.
 */
export function isoTime(text: string): string {
  const fraction = text.charAt(19) === '.' ? text.slice(20, text.search(/[+-]\d\d(:?\d\d)?$/)) : '';
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0').slice(0, 3)}Z`;
}

/** Makes every pg connection of this process read times as ISO strings and bigint as number (ours stay below 2^53). */
export function installTypeParsers(): void {
  pg.types.setTypeParser(TIMESTAMPTZ, isoTime);
  pg.types.setTypeParser(BIGINT, Number);
}
