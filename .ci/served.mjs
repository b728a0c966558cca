// What the checks of the served API share: a built server with an embedded PostgreSQL of its own, and counting.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const SOURCE = join(import.meta.dirname, '..');
const ADMIN = { id: 'admin', secret: 'the-admin-of-the-checks' };
const START_MS = 60_000;
const STOP_MS = 15_000;

/**
 * Runs `act({ url, token, pid, output })` against a server that is started for it, in a temporary folder, and stopped after.
 * `output()` is what the server has said so far.
 */
export async function withServer(act) {
  const dataDir = mkdtempSync(join(tmpdir(), 'parley-served-'));
  const server = spawn(process.execPath, [join(SOURCE, 'dist/server/main.js')], {
    // Nothing of the caller's own configuration reaches it.
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      PARLEY_DATA_DIR: dataDir,
      PARLEY_ADMIN_CLIENT_ID: ADMIN.id,
      PARLEY_ADMIN_CLIENT_SECRET: ADMIN.secret,
      LOG_LEVEL: 'error',
      // Not counted: a fuzzer is meant to call as fast as it can.
      RATE_LIMIT_PER_MINUTE: '0',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => (output += text));
  const ended = new Promise((resolve) => server.once('close', resolve));
  try {
    const url = await listening(() => output, server);
    return await act({ url, token: await tokenOf(url), pid: server.pid, output: () => output });
  } finally {
    server.kill('SIGTERM');
    const late = await Promise.race([ended, sleep(STOP_MS, 'late', { ref: false })]);
    if (late === 'late') server.kill('SIGKILL');
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function listening(output, server) {
  const end = performance.now() + START_MS;
  for (;;) {
    const url = /^Parley listens on (\S+)$/m.exec(output())?.[1];
    if (url !== undefined) return url;
    if (server.exitCode !== null || performance.now() > end)
      throw new Error(`the server did not start:\n${output()}`);
    await sleep(50);
  }
}

async function tokenOf(url) {
  const answer = await fetch(`${url}/api/v1/auth/token`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ client_id: ADMIN.id, client_secret: ADMIN.secret }),
  });
  return (await answer.json()).access_token;
}

/** Runs a program with its output shown; resolves with its exit code, undefined if there is no such program. */
export function run(program, args, options = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
    child.once('error', () => resolve(undefined));
    child.once('close', (code) => resolve(code ?? 1));
  });
}

/** Counts checks and leaves "passed failed" in a file for `.ci/run`. */
export class Tally {
  passed = 0;
  failed = 0;

  check(name, isGood, note = '') {
    if (isGood) this.passed += 1;
    else this.failed += 1;
    console.log(`  ${isGood ? 'ok   ' : 'FAIL '} ${name}${note === '' ? '' : `: ${note}`}`);
  }

  finish(file) {
    if (file !== undefined) writeFileSync(file, `${this.passed} ${this.failed}\n`);
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed === 0 ? 0 : 1;
  }
}
