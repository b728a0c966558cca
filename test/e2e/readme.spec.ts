import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ENV_SCHEMA, type EnvVariable } from '../../config/env.schema.js';
import { type ServerProcess, startServer } from '../support/processes.js';

const run = promisify(execFile);
const README = readFileSync('README.md', 'utf8');
const BLOCKS = [...README.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(([, language, text = '']) => ({
  language,
  text,
}));

/** Name and default of the variables in the table of the configuration. */
const VARIABLES = [...README.matchAll(/^\| `([A-Z_]+)` +\| (?:`(.*?)`)? *\|/gm)].map(([, name, fallback]) => [
  name,
  fallback,
]);

describe('the README', () => {
  let dataDir: string;
  let server: ServerProcess;
  let env: NodeJS.ProcessEnv;

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'parley-readme-'));
    server = await startServer({ dataDir });
    env = { PATH: process.env['PATH'], PORT: new URL(server.url).port, PARLEY_DATA_DIR: dataDir };
  });

  afterAll(async () => {
    await server?.kill();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('has commands that run as printed, from the token to the events', async () => {
    const script = BLOCKS.filter(({ language }) => language === 'sh').map(({ text }) => text);
    const { stdout } = await run('bash', ['-euo', 'pipefail', '-c', script.join('\n')], { env });
    const answers = stdout
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(answers).toMatchObject([
      { type: 'code_generation', status: 'queued', priority: 'high' },
      { status: 'in_progress', progress: 45, assigned_agent: 'agent-001' },
      { agent_id: 'agent-001', next_heartbeat_in: 30, revoked_tasks: [] },
      { status: 'completed', progress: 100, output_data: { files_generated: 12 } },
      {
        items: ['created', 'assigned', 'started', 'progress', 'completed'].map((what, index) => ({
          event_type: `task.${what}`,
          seq: index + 1,
        })),
      },
      { event_type: 'message.sent', target_agent: 'agent-001', payload: { hello: 'world' } },
      { cursor: expect.any(String) },
      { request_id: expect.any(String), status: 'success', data: { points: 5 } },
      { type: 'estimate', status: 'answered', response: { data: { points: 5 } } },
      { event_type: 'message.published', topic: 'build.shop.finished' },
      { items: [{ event_type: 'message.published', payload: { branch: 'main' } }] },
    ]);
  });

  it('has in two terminals what .ci/run types in fresh clones', () => {
    const commands = BLOCKS.filter(({ language }) => language === 'console').flatMap(({ text }) =>
      text.trim().split(/ && |\n/),
    );
    const ci = readFileSync('.ci/run', 'utf8') + readFileSync('.ci/newcomer.mjs', 'utf8');
    expect(commands).toContain('npm start');
    expect(commands.filter((command) => !ci.includes(command))).toEqual([]);
    expect(BLOCKS.filter(({ language }) => language !== 'console' && language !== 'sh')).toEqual([]);
  });

  it('has a demo that completes with one retry, also two at the same time', async () => {
    const demos = [1, 2].map(() => run('node', ['examples/demo.mjs'], { env }));
    for (const { stdout } of await Promise.all(demos)) {
      expect(stdout).toMatch(/workflow\.completed/);
      expect(stdout).toMatch(/code_generation +completed +2 /);
      expect(stdout).toMatch(/completed in .* s, 4 attempts, \d+ events\.\n$/);
    }
  });

  it('has a demo that says in one line what is missing', async () => {
    const away = run('node', ['examples/demo.mjs'], { env: { ...env, PORT: '1' } });
    await expect(away).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^There is no Parley at .*npm start.*\n$/),
    });
    const locked = run('node', ['examples/demo.mjs'], {
      env: { ...env, PARLEY_DATA_DIR: join(dataDir, 'none') },
    });
    await expect(locked).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^No access as admin .*\n$/),
    });
  });

  it('lists every variable of the configuration, with its default', () => {
    const known = Object.entries<EnvVariable<unknown>>(ENV_SCHEMA);
    expect(VARIABLES).toEqual(
      known.map(([name, { fallback }]) => [name, fallback === '' ? undefined : fallback]),
    );
  });

  it('names tests that exist for each promise', () => {
    const promises = README.split(/^- \*\*P\d\*\*/m).slice(1);
    expect(promises.length).toBeGreaterThan(0);
    for (const promise of promises) {
      const proofs = [...promise.matchAll(/\[([^\]]+)\]\((test\/[^)]+)\)/g)];
      expect(proofs).not.toEqual([]);
      for (const [, title = '', file = ''] of proofs) {
        expect(readFileSync(file, 'utf8')).toContain(`it('${title}'`);
      }
    }
  });

  it('links to files that are there', () => {
    const links = [...README.matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
    const files = links.filter((link) => !link.startsWith('http://127.0.0.1:3000/'));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(file))).toEqual([]);
  });
});
