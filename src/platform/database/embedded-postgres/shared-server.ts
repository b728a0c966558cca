import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { PARLEY, makeCluster, readPassword } from './cluster.js';
import { type Connection, ensureDatabase } from './database.js';
import { EmbeddedPostgresError } from './errors.js';
import { lastWords } from './last-words.js';
import { Lifeline } from './lifeline.js';
import { type Place, clusterExists, clusterIn, makeSocketDir } from './place.js';
import {
  type Postmaster,
  becomesReady,
  clearLeftovers,
  findPostmaster,
  stopPostmaster,
} from './postmaster.js';
import { findPrograms } from './programs.js';
import { SETTINGS } from './settings.js';
import { withStartLock } from './start-lock.js';
import { ended, letRun, spawnWatched } from './watchdog.js';

/** A private folder holds one socket, so its port is a name and never taken. */
const PORT = 5432;
/** For so long the backends of a killed server may take to notice. */
const LEFTOVERS_MS = 10_000;
/** For so long a stop waits for another instance's start; the watchdog does the rest. */
const LEAVE_MS = 5_000;
const IN_THE_WAY = /pre-existing shared memory block|lock file ".*" already exists/;

/** A server as this instance uses it. */
export interface Use {
  readonly pid: number;
  /** Another instance had started it. */
  readonly adopted: boolean;
  readonly connection: Connection;
}

/** The server of one cluster, which all instances on the same folder share. It lives as long as any of them. */
export class SharedServer {
  readonly cluster: string;
  private readonly lifeline: Lifeline;

  constructor(
    private readonly place: Place,
    private readonly log: (line: string) => void,
    private readonly settings: Readonly<Record<string, string>>,
    private readonly waitMs: number,
  ) {
    this.cluster = clusterIn(place.folder);
    this.lifeline = new Lifeline(join(place.folder, 'pg.users'));
  }

  /** Uses the server that runs, or starts it; makes the cluster and the database when there are none. */
  async use(): Promise<Use> {
    return withStartLock(this.place.folder, this.waitMs, async () => {
      try {
        return (await this.adopt()) ?? (await this.start());
      } catch (error) {
        this.lifeline.drop();
        throw error;
      }
    });
  }

  /** Lets go of the server, and waits for its end when nobody else uses it. What goes wrong is only logged. */
  async leave(use: Use): Promise<void> {
    try {
      await withStartLock(this.place.folder, LEAVE_MS, async () => {
        if (!this.lifeline.letGo()) return;
        // The watchdog is stopping it already, unless it was killed itself.
        await stopPostmaster(this.cluster, use.pid);
        rmSync(use.connection.host, { recursive: true, force: true });
      });
    } catch (error) {
      this.lifeline.drop();
      this.log(`left PostgreSQL (pid ${use.pid}) to its watchdog: ${String(error)}`);
    }
  }

  private async adopt(): Promise<Use | undefined> {
    const found = findPostmaster(this.cluster);
    if (found === undefined) return undefined;
    if (this.lifeline.hold()) {
      const ready = await becomesReady(
        this.cluster,
        this.patience((running) => running === undefined),
      );
      const use = ready && (await this.tryUse(ready));
      if (use !== undefined) {
        this.log(`sharing the PostgreSQL (pid ${use.pid}) of another instance`);
        return use;
      }
    }
    // Its users are dead and its watchdog is too, or is at work right now.
    this.log(`stopping a PostgreSQL (pid ${found.pid}) that was left behind`);
    await stopPostmaster(this.cluster, found.pid);
    return undefined;
  }

  /** Undefined = the server ended under our hands: its last user had gone just before we came. */
  private async tryUse(ready: Postmaster): Promise<Use | undefined> {
    try {
      return await this.connect(ready, true);
    } catch (error) {
      if (findPostmaster(this.cluster)?.status === 'ready') throw error;
      return undefined;
    }
  }

  private async start(): Promise<Use> {
    const programs = findPrograms(this.place, this.log);
    const socketDir = makeSocketDir(this.place);
    try {
      if (!clusterExists(this.cluster)) {
        this.log(`making a new PostgreSQL cluster in ${this.cluster}`);
        await makeCluster(this.place, programs.initdb, socketDir);
      }
      return await this.connect(await this.launch(programs.postgres, socketDir), false);
    } catch (error) {
      rmSync(socketDir, { recursive: true, force: true });
      throw error;
    }
  }

  /** Tries until nothing that a killed server has left is in the way any more. */
  private async launch(postgres: string, socketDir: string): Promise<Postmaster> {
    const giveUpAt = performance.now() + LEFTOVERS_MS;
    for (;;) {
      const result = await this.tryLaunch(postgres, socketDir);
      if (!Array.isArray(result)) return result;
      if (!result.some((line) => IN_THE_WAY.test(line)) || performance.now() > giveUpAt) {
        throw new EmbeddedPostgresError(lastWords(result) ?? 'it ended without a word');
      }
    }
  }

  /** The server once it is ready, or what it said before it ended. */
  private async tryLaunch(postgres: string, socketDir: string): Promise<Postmaster | string[]> {
    clearLeftovers(this.cluster, socketDir);
    const settings = { ...SETTINGS, unix_socket_directories: `"${socketDir}"`, ...this.settings };
    const command = [postgres, '-D', this.cluster, '-p', String(PORT)];
    for (const [name, value] of Object.entries(settings)) command.push('-c', `${name}=${value}`);
    let lines: string[] = [];
    const child = this.lifeline.startWatched((readEnd) =>
      spawnWatched(command, this.place.account, readEnd, (line) => {
        this.log(line);
        lines = [...lines.slice(-20), line];
      }),
    );
    let over = false;
    const end = ended(child).finally(() => (over = true));
    end.catch(() => {});
    const ready = await becomesReady(
      this.cluster,
      this.patience(() => over),
    );
    if (ready === undefined) {
      await end;
      return lines;
    }
    letRun(child);
    return ready;
  }

  private async connect(server: Postmaster, adopted: boolean): Promise<Use> {
    const connection = {
      host: server.socketDir,
      port: server.port,
      user: PARLEY,
      password: readPassword(this.place.folder),
      database: PARLEY,
    };
    await ensureDatabase(connection);
    return { pid: server.pid, adopted, connection };
  }

  /** Gives up when `reason` does; throws when the time for a start has passed. */
  private patience(
    reason: (found: Postmaster | undefined) => boolean,
  ): (found: Postmaster | undefined) => boolean {
    const giveUpAt = performance.now() + this.waitMs;
    return (found) => {
      if (performance.now() > giveUpAt) {
        throw new EmbeddedPostgresError(
          `it was not ready after ${this.waitMs / 1000} s (${found?.status ?? 'no sign of it'})`,
        );
      }
      return reason(found);
    };
  }
}
