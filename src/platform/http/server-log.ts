import type { LoggerService } from '@nestjs/common';
import { type Logger, destination, pino } from 'pino';

/** Contexts in which Nest tells of every single module and route at start. */
const CHATTY: ReadonlySet<unknown> = new Set([
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'WebSocketsController',
]);

/** One JSON line per entry on stdout, written in the background. What is said of a request carries its correlation id. */
export function createLog(level: string): Logger {
  const options = {
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return pino(options, destination({ dest: 1, sync: false }));
}

/**
 * Nest's logger, and every `new Logger('Name')`, on top of pino. The last text argument is the context's name, one before
 * it a stack, and an object holds fields of the line.
 */
export class NestLog implements LoggerService {
  constructor(private readonly target: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write(CHATTY.has(rest.at(-1)) ? 'debug' : 'info', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  private write(
    level: 'error' | 'warn' | 'info' | 'debug',
    message: unknown,
    rest: readonly unknown[],
  ): void {
    const context = rest.at(-1);
    const [first] = rest.length > 1 ? rest : [];
    const told = typeof first === 'object' ? first : { stack: first };
    if (message instanceof Error) this.target[level]({ context, ...told, err: message }, message.message);
    else
      this.target[level](
        { context, ...told },
        typeof message === 'string' ? message : JSON.stringify(message),
      );
  }
}
