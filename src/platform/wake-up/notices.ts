/** Hints of one channel on their way between processes, as the payload of one NOTIFY. */
export interface Notice {
  /** The process that sends it; it has told its own handlers already. */
  readonly from: string;
  readonly channel: string;
  readonly keys: readonly string[];
}

/** NOTIFY takes less than 8,000 bytes; what a payload holds beside its keys is far below the rest. */
const KEY_BYTES = 7_000;

/** As few payloads as will hold the keys; one when there are none. */
export function encodeNotices(from: string, channel: string, keys: Iterable<string>): string[] {
  const chunks: string[][] = [[]];
  let bytes = 0;
  for (const key of keys) {
    const size = Buffer.byteLength(JSON.stringify(key)) + 1;
    bytes += size;
    if (bytes > KEY_BYTES) {
      chunks.push([]);
      bytes = size;
    }
    chunks.at(-1)?.push(key);
  }
  return chunks.map((chunk) => JSON.stringify([from, channel, ...chunk]));
}

/** Undefined for a payload that is none of ours. */
export function decodeNotice(payload: string): Notice | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts) || !parts.every((part) => typeof part === 'string')) return undefined;
  const [from, channel, ...keys] = parts;
  return from === undefined || channel === undefined ? undefined : { from, channel, keys };
}
