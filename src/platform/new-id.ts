import { randomFillSync } from 'node:crypto';
import { V7Generator } from 'uuidv7';

/** Drawn together: a call for each few bytes costs more than all the rest of an id. */
const pool = new Uint32Array(1024);
let drawn = pool.length;

function nextUint32(): number {
  if (drawn === pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  const value = pool[drawn] ?? 0;
  drawn += 1;
  return value;
}

const ids = new V7Generator({ nextUint32 });

/** A server-made id: UUIDv7 (RFC 9562), so that rows and index entries of one time lie together. */
export function newId(): string {
  return ids.generate().toString();
}
