import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/wait-for.js';

/** A Python with what the example needs; CI makes one. */
const PYTHON = process.env['PARLEY_TEST_PYTHON'] ?? 'python3';
const hasLibraries = spawnSync(PYTHON, ['-c', 'import requests, socketio, websocket']).status === 0;
if (!hasLibraries)
  process.stderr.write(
    `SKIPPED: the Python agent needs ${PYTHON} with requests and "python-socketio[client]" (PARLEY_TEST_PYTHON names another).\n`,
  );

(hasLibraries ? describe : describe.skip)('the agent in Python', () => {
  let app: TestApp;
  let admin: string;
  let agent: ChildProcess;
  let said = '';

  beforeAll(async () => {
    app = await startApp();
    admin = await app.adminToken();
    agent = spawn(PYTHON, ['examples/python_agent.py', 'pythonista'], {
      env: { PATH: process.env['PATH'], PARLEY_URL: app.url, PARLEY_TOKEN: await client() },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    agent.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  });
  afterAll(async () => {
    const gone = once(agent, 'exit');
    agent.kill('SIGKILL');
    await gone;
    await app.close();
  });

  async function client(): Promise<string> {
    const body = { name: 'python', project_id: 'proj-456', scope: 'agents:read agents:write' };
    const made = (await call('POST', '/auth/clients', body)) as { client_id: string; client_secret: string };
    return app.token(made.client_id, made.client_secret);
  }

  async function call(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await app.http(method, `/api/v1${path}`, { token: admin, body });
    if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
    return answer.body;
  }

  it('is pushed a task, and completes it', async () => {
    const task = { id: 'for-python', type: 'python', project_id: 'proj-456' };
    expect(await call('POST', '/tasks?wait_ms=25000', task)).toMatchObject({
      status: 'completed',
      output_data: { by: 'pythonista' },
      attempt: 1,
    });
  });

  it('answers a request, and acknowledges that it read it', async () => {
    const body = {
      id: 'ask-python',
      type: 'echo',
      target: 'pythonista',
      data: { n: 1 },
      project_id: 'proj-456',
    };
    await call('POST', '/requests', body);
    expect(await call('GET', '/requests/ask-python?wait_ms=25000')).toMatchObject({
      status: 'answered',
      response: { status: 'success', data: { echo: { n: 1 } } },
    });
    await until(async () => {
      const mailbox = await call('GET', '/agents/pythonista/mailbox?project_id=proj-456');
      return (mailbox as { items: unknown[] }).items.length === 0;
    });
  });

  it('hears what it has subscribed to', async () => {
    await call('POST', '/alerts', {
      severity: 'info',
      message: 'hello',
      details: {},
      project_id: 'proj-456',
    });
    await until(() => said.includes('system.alert'));
  });
});
