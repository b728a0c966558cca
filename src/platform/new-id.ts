import { uuidv7 } from 'uuidv7';

/** A server-made id: UUIDv7 (RFC 9562), so that rows and index entries of one time lie together. */
export function newId(): string {
  return uuidv7();
}
