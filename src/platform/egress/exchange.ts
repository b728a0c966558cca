import type { LookupFunction } from 'node:net';
import { Client, type Dispatcher } from 'undici';
import type { OutgoingAnswer, OutgoingCall } from './egress.port.js';

const BODY_BYTES = 64 * 1024;
const HEADER_BYTES = 16 * 1024;

interface Limits {
  /** Gives the addresses that may be connected to. */
  readonly lookup: LookupFunction;
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** One request and its answer over a connection of their own. @throws whatever undici throws */
export async function exchange(
  url: URL,
  { method, headers, body }: OutgoingCall,
  { lookup, deadlineMs, signal }: Limits,
): Promise<OutgoingAnswer> {
  const connect = { lookup, timeout: deadlineMs };
  const client = new Client(url.origin, { connect, maxHeaderSize: HEADER_BYTES });
  try {
    const answer = await client.request({
      path: url.pathname + url.search,
      method,
      headers: { 'user-agent': 'Parley', ...headers },
      body: body ?? null,
      signal,
    });
    return { status: answer.statusCode, headers: headersOf(answer), body: await textOf(answer.body) };
  } finally {
    await client.destroy();
  }
}

function headersOf({ headers }: Dispatcher.ResponseData): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value = '']) => [
      name,
      typeof value === 'string' ? value : value.join(', '),
    ]),
  );
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= BODY_BYTES) break;
  }
  return Buffer.concat(chunks).subarray(0, BODY_BYTES).toString('utf8');
}
