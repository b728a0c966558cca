import { ConfigError } from '../config/app-config.js';
import { EmbeddedPostgresError } from './platform/database/embedded-postgres/errors.js';

/** Why the server did not start: a line with its remedy for what a user can set right, the stack for a defect. */
export function refusal(
  error: unknown,
  { HOST: host, PORT: port }: { readonly HOST: string; readonly PORT: number },
): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigError || error instanceof EmbeddedPostgresError) return error.message;
  if ('syscall' in error && (error.syscall === 'listen' || error.syscall === 'getaddrinfo')) {
    return listenRefusal(error, host, port);
  }
  if (isFatal(error)) {
    return `DATABASE_URL does not work: ${error.message}. Set it to a PostgreSQL database that this account may use.`;
  }
  return error.stack ?? error.message;
}

/** Postgres refused the connection itself: a wrong password, no such database, no such role. */
function isFatal(error: Error): boolean {
  return 'severity' in error && error.severity === 'FATAL';
}

function listenRefusal(error: Error, host: string, port: number): string {
  switch ('code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return `Port ${port} of ${host} is in use. Stop the program that has it, or set PORT; PORT=0 takes a free one.`;
    case 'EACCES':
      return `Port ${port} may not be used by this account. Set PORT to one above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `HOST ${host} is no address of this machine. Set it to 127.0.0.1, or to 0.0.0.0 for all addresses.`;
    default:
      return `Cannot listen on ${host}, port ${port}: ${error.message}. Set HOST and PORT.`;
  }
}
