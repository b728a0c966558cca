// Does what the README tells a newcomer to do, in fresh clones: as the present user under a 0700 home and, when that
// is root, also as an ordinary user made for it. Usage: node .ci/newcomer.mjs <file for "passed failed">
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { alive, familyOf } from './processes.mjs';

const SECOND_START_MS = 3000;
const IDLE_RSS_MB = 180;
const SOURCE = join(import.meta.dirname, '..');
let passed = 0;
let failed = 0;

class CheckFailed extends Error {}

/** One line per check; what follows a failed one makes no sense, so it throws. */
async function check(name, act) {
  try {
    const note = await act();
    passed += 1;
    console.log(`  ok    ${name}${note ? `: ${note}` : ''}`);
  } catch (error) {
    failed += 1;
    console.log(`  FAIL  ${name}: ${error.message}`);
    throw new CheckFailed();
  }
}

/** Awaits a condition, looked at again and again. */
async function until(what, limitMs, look) {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`${what} not within ${limitMs / 1000} s`);
    await sleep(20);
  }
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const gone = (family) =>
  until('the end of every process', 15_000, () => alive(family).length === 0).catch((error) => {
    const left = alive(family).map(({ pid, command }) => `${pid} ${command}`);
    throw new Error(`${error.message}; left: ${left.join(', ')}`);
  });

class Newcomer {
  constructor(home, user) {
    this.home = home;
    this.clone = join(home, 'parley');
    // An own home hides the settings in which the registry may be named.
    const setting = (name) => execFileSync('npm', ['config', 'get', name], { encoding: 'utf8' }).trim();
    this.options = {
      cwd: this.clone,
      uid: user?.uid,
      gid: user?.gid,
      detached: true,
      env: {
        ...process.env,
        HOME: home,
        npm_config_registry: setting('registry'),
        npm_config_cache: user ? join(home, '.npm') : setting('cache'),
        npm_config_update_notifier: 'false',
      },
    };
  }

  spawn(command, env = {}) {
    const [program, ...args] = command.split(' ');
    const child = spawn(program, args, { ...this.options, env: { ...this.options.env, ...env } });
    const running = { pid: child.pid, output: '' };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (running.output += text));
    running.ended = new Promise((resolve) => {
      child.on('error', (error) => resolve(error.message));
      child.on('exit', (code, signal) => resolve(signal ?? code));
    });
    return running;
  }

  async run(command, limitMs, env) {
    const running = this.spawn(command, env);
    const late = sleep(limitMs, 'late', { ref: false });
    const end = await Promise.race([running.ended, late]);
    if (end === 'late') process.kill(-running.pid, 'SIGKILL');
    if (end !== 0) throw new Error(`${command} ended with ${end}\n${running.output.slice(-3000)}`);
    return running.output;
  }

  /** `npm start`, as a terminal would run it (a process group of its own), until it is ready. */
  async start() {
    const port = await freePort();
    const began = performance.now();
    const server = this.spawn('npm start', { PORT: String(port) });
    this.server = server;
    void server.ended.then((end) => (server.end = end));
    await until('readiness', 60_000, async () => {
      if (server.end !== undefined)
        throw new Error(`npm start ended with ${server.end}\n${server.output.slice(-3000)}`);
      const answer = await fetch(`http://127.0.0.1:${port}/health/ready`).catch(() => undefined);
      return answer?.status === 200;
    }).catch((error) => {
      throw new Error(`${error.message}\n${server.output.slice(-3000)}`);
    });
    server.port = port;
    server.readyMs = Math.round(performance.now() - began);
    // Root's PostgreSQL cannot enter the home; its data is made elsewhere.
    this.elsewhere ??= /\/var\/lib\/parley-[0-9a-f]+(?=\/pg)/.exec(server.output)?.[0];
    server.family = familyOf(server.pid, this.home);
    server.node = server.family.find(({ command }) => /^\S*node .*dist\/server\/main\.js/.test(command));
    if (server.node === undefined) throw new Error('no process runs dist/server/main.js');
    return server;
  }

  /** A polite end: code 0, and nothing left. `pid` negative: the whole group, as Ctrl-C does. */
  async stop(server, pid, signal) {
    server.family = familyOf(server.pid, this.home);
    process.kill(pid, signal);
    const end = await Promise.race([server.ended, sleep(15_000, 'no end within 15 s', { ref: false })]);
    if (end !== 0) throw new Error(`npm start ended with ${end}\n${server.output.slice(-3000)}`);
    await gone(server.family);
  }

  /** Whatever a failed check left running. */
  clear() {
    if (this.server === undefined) return;
    const family = [...familyOf(this.server.pid, this.home), ...(this.server.family ?? [])];
    for (const { pid } of alive(family)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
  }
}

async function play(newcomer) {
  const built = () => statSync(join(newcomer.clone, 'dist/server/main.js')).mtimeMs;
  let server;
  await check('npm ci', () => newcomer.run('npm ci --prefer-offline', 300_000).then(() => ''));
  await check('npm start serves', async () => {
    server = await newcomer.start();
    return `${server.readyMs} ms with the build`;
  });
  await check('the banner says where, and where the secret lies', () => {
    if (!server.output.includes(`:${server.port}`) || !server.output.includes('admin.json'))
      throw new Error(server.output);
  });
  await check('npm run demo', async () => {
    const output = await newcomer.run('npm run demo', 60_000, { PORT: String(server.port) });
    return output.trim().split('\n').at(-1);
  });
  await check('Ctrl-C ends it with 0 and leaves nothing', () => newcomer.stop(server, -server.pid, 'SIGINT'));

  const builtAt = built();
  const readyMs = [];
  await check('the second start does not build', async () => {
    server = await newcomer.start();
    if (built() !== builtAt) throw new Error('it built again');
    readyMs.push(server.readyMs);
  });
  await check(`idle memory of the Node process <= ${IDLE_RSS_MB} MB`, async () => {
    await sleep(5000); // Idle is a matter of time.
    const status = readFileSync(`/proc/${server.node.pid}/status`, 'utf8');
    const megabytes = Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
    if (!(megabytes <= IDLE_RSS_MB)) throw new Error(`${megabytes} MB`);
    return `${megabytes} MB`;
  });
  await check('kill -INT of npm ends it with 0 and leaves nothing', () =>
    newcomer.stop(server, server.pid, 'SIGINT'),
  );

  await check('kill -9 of the server leaves nothing', async () => {
    server = await newcomer.start();
    readyMs.push(server.readyMs);
    process.kill(server.node.pid, 'SIGKILL');
    await gone(server.family);
  });
  await check('it starts after kill -9', async () => {
    server = await newcomer.start();
    readyMs.push(server.readyMs);
  });
  await check('kill -TERM of npm ends it with 0 and leaves nothing', () =>
    newcomer.stop(server, server.pid, 'SIGTERM'),
  );

  // Measured, not judged: it tells as much about what else the machine is doing.
  console.log(
    `  time  later starts to ready, npm included: ${readyMs.join(', ')} ms (aim: ${SECOND_START_MS})`,
  );
}

async function meet(title, user) {
  console.log(`Newcomer: ${title}`);
  const home = mkdtempSync(join(tmpdir(), 'newcomer-')); // 0700
  const newcomer = new Newcomer(home, user);
  try {
    execFileSync('git', ['clone', '--quiet', SOURCE, newcomer.clone], { stdio: 'inherit' });
    if (user) execFileSync('chown', ['-R', `${user.uid}:${user.gid}`, home]);
    await play(newcomer);
  } catch (error) {
    if (!(error instanceof CheckFailed)) throw error;
  } finally {
    newcomer.clear();
    for (const place of [home, newcomer.elsewhere])
      if (place) rmSync(place, { recursive: true, force: true });
  }
}

const isRoot = process.getuid() === 0;
await meet(isRoot ? 'root, the clone under a 0700 home' : 'an ordinary user');
if (isRoot) {
  const name = `parley-ci-${process.pid}`;
  execFileSync('useradd', ['--no-create-home', '--shell', '/bin/sh', name]);
  try {
    const id = (flag) => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
    await meet('an ordinary user', { uid: id('-u'), gid: id('-g') });
  } finally {
    execFileSync('userdel', ['--force', name]);
  }
}
writeFileSync(process.argv[2] ?? '/dev/null', `${passed} ${failed}\n`);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
