import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { DatabaseConnection } from '../../src/platform/database/database-connection.js';

/** A Postgres connection on a wire that a test can cut at the worst moment. */
export interface PostgresProxy {
  readonly connection: DatabaseConnection;
  /** Where it listens, in the terms of a connection's settings. */
  readonly place: { readonly host: string; readonly port: number };
  /** The next COMMIT reaches the server and is done, but its answer never reaches the client: the wire is cut. */
  cutAfterNextCommit(): void;
  /** The next COMMIT never reaches the server: the wire is cut before it. */
  cutBeforeNextCommit(): void;
  /** From now on no connection says or hears anything; none is closed, as when a network or a server stands still. */
  standStill(): void;
  /** New connections work; those that stood still stay dead. */
  goOn(): void;
  close(): Promise<void>;
}

const COMMIT_STATEMENT = Buffer.from('commit/');
const COMMIT_DONE = Buffer.from('COMMIT\0');

type Cut = 'after' | 'before' | undefined;

/**
 * Stands between a client and the Postgres behind `target`, on a Unix socket of its own.
 * @param fate asked at each COMMIT: whether, and when, its wire is cut
 */
export async function startPostgresProxy(
  target: DatabaseConnection,
  fate: () => Cut = () => undefined,
): Promise<PostgresProxy> {
  const settings = target.direct('proxy');
  const folder = await mkdtemp(join(tmpdir(), 'parley-wire-'));
  const place = { host: folder, port: 5432 };
  const sockets = new Set<Socket>();
  let next: Cut;
  let still = false;

  const server: Server = createServer((client) => {
    const upstream = connect(upstreamOf(settings));
    /** What becomes of the COMMIT that is on its way. */
    let cut: Cut;
    let isDead = false;
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
      isDead ||= still;
      if (isDead) return;
      if (data.includes(COMMIT_STATEMENT)) {
        cut = next ?? fate();
        next = undefined;
      }
      if (cut === 'before') upstream.destroy();
      else upstream.write(data);
    });
    upstream.on('data', (data) => {
      isDead ||= still;
      if (isDead) return;
      if (cut === 'after' && data.includes(COMMIT_DONE)) client.destroy();
      else client.write(data);
    });
  });
  await new Promise<void>((resolve) => server.listen(join(folder, '.s.PGSQL.5432'), resolve));

  return {
    connection: new DatabaseConnection({ ...settings, ...place }),
    place,
    cutAfterNextCommit: () => (next = 'after'),
    cutBeforeNextCommit: () => (next = 'before'),
    standStill: () => (still = true),
    goOn: () => (still = false),
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
