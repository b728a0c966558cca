import { createHmac } from 'node:crypto';

const PREFIX = 'whsec_';

/** What is signed (https://www.standardwebhooks.com, v1). */
export interface SignedMessage {
  /** Stable over all tries: receivers know by it what they have had. */
  readonly id: string;
  /** Of this try, in seconds since 1970. */
  readonly timestamp: number;
  readonly body: string;
}

/** The headers by which a receiver knows who sent a message, and that nobody changed it or sends it again. */
export function signatureHeaders(
  { id, timestamp, body }: SignedMessage,
  secret: string,
): Record<string, string> {
  const key = Buffer.from(secret.slice(PREFIX.length), 'base64');
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64');
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestamp),
    'webhook-signature': `v1,${signature}`,
  };
}
