import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ServerProcess, startServer } from '../support/processes.js';
import { until } from '../support/wait-for.js';

/** What is loaded late comes from another file of the bundle: only the built server shows that it is there. */
describe('the built server', () => {
  let dataDir: string;
  let server: ServerProcess;

  beforeAll(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'parley-health-'));
    const env = { EGRESS_ALLOW: '127.0.0.0/8', HEARTBEAT_INTERVAL: '1', LOG_LEVEL: 'warn' };
    server = await startServer({ dataDir, env });
  });
  afterAll(async () => {
    await server.kill('SIGTERM');
    await rm(dataDir, { recursive: true, force: true });
  });

  it('asks an agent how it is', async () => {
    // The file is the server's own.
    const { client_id: clientId, client_secret: secret } = JSON.parse(
      await readFile(join(dataDir, 'admin.json'), 'utf8'),
    ) as Record<string, string>;
    const post = async (path: string, body: object, token?: string): Promise<Record<string, unknown>> => {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
      const request = { method: 'POST', headers, body: JSON.stringify(body) };
      const answer = await fetch(`${server.url}/api/v1${path}`, request);
      return (await answer.json()) as Record<string, unknown>;
    };
    const grant = { grant_type: 'client_credentials', client_id: clientId, client_secret: secret };
    const token = String((await post('/auth/token', grant))['access_token']);
    const agent = { id: 'asked', type: 'asked', health_check_url: `${server.url}/health/live` };
    await post('/agents/register', agent, token);
    const asked = await until(
      async () => {
        const answer = await fetch(`${server.url}/api/v1/agents/asked`, {
          headers: { authorization: `Bearer ${token}` },
        });
        const found = (await answer.json()) as Record<string, unknown>;
        return found['health'] !== 'unknown' && found;
      },
      { within: 30_000 },
    );
    expect(asked).toMatchObject({ health: 'healthy', health_reason: null });
    expect(server.output()).not.toContain('"level":50');
  });
});
