import { validationFailed } from '../../shared/domain-error.js';

const VERSION = '1';

/** A place in the log, as clients carry it: version, log epoch and position, opaque. */
export interface Cursor {
  /** Made anew with each log, so that a cursor of another log (a restore) is told apart. */
  readonly epoch: string;
  readonly pos: number;
}

export function encodeCursor({ epoch, pos }: Cursor): string {
  return Buffer.from(`${VERSION}.${epoch}.${pos}`).toString('base64url');
}

/** @throws DomainError VALIDATION_FAILED for what was not made here */
export function decodeCursor(text: string, path = '/after'): Cursor {
  const cursor = cursorIn(text);
  if (cursor === undefined) throw validationFailed([{ path, message: NOT_OURS }]);
  return cursor;
}

/** What is wrong with a cursor that a field holds, or nothing. */
export function eventCursorCheck(value: unknown): string | undefined {
  return typeof value === 'string' && cursorIn(value) !== undefined ? undefined : NOT_OURS;
}

const NOT_OURS = 'is not an event cursor';

function cursorIn(text: string): Cursor | undefined {
  const [version, epoch, pos, ...rest] = Buffer.from(text, 'base64url').toString().split('.');
  const isOurs =
    version === VERSION &&
    epoch !== undefined &&
    pos !== undefined &&
    /^\d{1,15}$/.test(pos) &&
    rest.length === 0;
  return isOurs ? { epoch, pos: Number(pos) } : undefined;
}
