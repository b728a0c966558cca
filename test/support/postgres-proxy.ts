import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { DatabaseConnection } from '../../src/platform/database/database-connection.js';

/** A Postgres connection on a wire that a test can cut at the worst moment. */
export interface PostgresProxy {
  readonly connection: DatabaseConnection;
  /** The next COMMIT reaches the server and is done, but its answer never reaches the client: the wire is cut. */
  cutAfterNextCommit(): void;
  /** The next COMMIT never reaches the server: the wire is cut before it. */
  cutBeforeNextCommit(): void;
  close(): Promise<void>;
}

const COMMIT_STATEMENT = Buffer.from('commit/');
const COMMIT_DONE = Buffer.from('COMMIT\0');

/** Stands between a client and the Postgres behind `target`, on a Unix socket of its own. */
export async function startPostgresProxy(target: DatabaseConnection): Promise<PostgresProxy> {
  const settings = target.direct('proxy');
  const folder = await mkdtemp(join(tmpdir(), 'parley-wire-'));
  const sockets = new Set<Socket>();
  let cut: 'after' | 'before' | undefined;

  const server: Server = createServer((client) => {
    const upstream = connect(upstreamOf(settings));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.on('data', (data) => {
      if (cut === 'before' && data.includes(COMMIT_STATEMENT)) {
        cut = undefined;
        upstream.destroy();
      } else upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (cut === 'after' && data.includes(COMMIT_DONE)) {
        cut = undefined;
        client.destroy();
      } else client.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, '.s.PGSQL.5432'), resolve));

  return {
    connection: new DatabaseConnection({ ...settings, host: folder, port: 5432 }),
    cutAfterNextCommit: () => (cut = 'after'),
    cutBeforeNextCommit: () => (cut = 'before'),
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function upstreamOf({
  host = '127.0.0.1',
  port = 5432,
}: pg.ClientConfig): { path: string } | { host: string; port: number } {
  return host.startsWith('/') ? { path: join(host, `.s.PGSQL.${port}`) } : { host, port };
}
