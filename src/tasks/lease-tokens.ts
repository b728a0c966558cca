import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database } from '../platform/database/database.js';

const LEASE_KEY = {
  name: 'lease-key',
  text: `
    WITH made AS (
      INSERT INTO server_settings (name, value) VALUES ('lease_key', $1) ON CONFLICT (name) DO NOTHING RETURNING value)
    SELECT value FROM made UNION ALL SELECT value FROM server_settings WHERE name = 'lease_key' LIMIT 1`,
};

/** Lease tokens: HMAC over project, task and attempt. Computed for the holder, stored nowhere (DESIGN §4). */
@Injectable()
export class LeaseTokens implements OnModuleInit {
  private key = Buffer.alloc(0);

  constructor(private readonly database: Database) {}

  async onModuleInit(): Promise<void> {
    // Two servers may start at once on a new database: the second look reads what the first to commit wrote.
    for (let look = 0; this.key.length === 0 && look < 10; look += 1) {
      const [row] = await this.database.query<{ value: string }>(LEASE_KEY, [
        randomBytes(32).toString('base64'),
      ]);
      this.key = Buffer.from(row?.value ?? '', 'base64');
    }
    if (this.key.length === 0) throw new Error('the lease key could not be made');
  }

  of(projectId: string, taskId: string, attempt: number): string {
    return this.mac(projectId, taskId, attempt).toString('base64url');
  }

  matches(token: string, projectId: string, taskId: string, attempt: number): boolean {
    const given = Buffer.from(token, 'base64url');
    const expected = this.mac(projectId, taskId, attempt);
    return given.length === expected.length && timingSafeEqual(given, expected);
  }

  private mac(projectId: string, taskId: string, attempt: number): Buffer {
    return createHmac('sha256', this.key).update(`${projectId}|${taskId}|${attempt}`).digest();
  }
}
