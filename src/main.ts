import { AppConfig, ConfigError } from '../config/app-config.js';
import { createLog } from './platform/http/server-log.js';
import { refusal } from './refusal.js';
import { Server } from './server.js';

/** From the first signal to the end of the process, in ms. */
const STOP_MS = 9_500;
/** npm passes on a Ctrl-C that the terminal has already sent us: so soon, a second signal is the same one. */
const SAME_SIGNAL_MS = 500;

const config = readConfig();
const log = createLog(config.env.LOG_LEVEL);
const server = new Server(config, log);

let stopping: Promise<void> | undefined;
let stoppingSince = 0;
let hurryUp = (): void => {};
const hurry = new Promise<void>((resolve) => (hurryUp = resolve));

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping === undefined) void stop(0);
    else if (performance.now() - stoppingSince > SAME_SIGNAL_MS) hurryUp();
  });
}

// A rejection that nobody handles comes here too.
process.on('uncaughtException', (error) => {
  log.fatal({ err: error }, 'a defect ends the process');
  hurryUp();
  void stop(1);
});

try {
  process.stdout.write(await server.start());
} catch (error) {
  // A start that was told to stop may fail in any way.
  if (stopping === undefined) {
    process.stderr.write(`${refusal(error, config.env)}\n`);
    hurryUp();
    await stop(1);
  }
}

async function stop(status: number): Promise<void> {
  if (stopping !== undefined) return;
  stoppingSince = performance.now();
  // What holds it up longer than this is cut; the embedded Postgres has a watchdog of its own.
  setTimeout(() => process.exit(1), STOP_MS).unref();
  stopping = server.stop(hurry);
  await stopping.catch((error: unknown) => log.error({ err: error }, 'PostgreSQL did not stop'));
  process.exit(status);
}

function readConfig(): AppConfig {
  try {
    return new AppConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return process.exit(1);
  }
}
