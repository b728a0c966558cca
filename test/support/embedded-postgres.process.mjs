// One instance of the embedded PostgreSQL in a process of its own, to be killed by tests:
// node embedded-postgres.process.mjs <dist> <data folder> <settings as JSON>
import { pathToFileURL } from 'node:url';

const [dist, dataDir, settings] = process.argv.slice(2);
const door = 'src/platform/database/embedded-postgres/embedded-postgres.js';
const { startEmbeddedPostgres } = await import(new URL(door, pathToFileURL(`${dist}/`)));

const postgres = await startEmbeddedPostgres({
  dataDir,
  settings: JSON.parse(settings),
  log: (line) => process.send({ line }),
});
const { connection, pid, adopted, dataDir: cluster } = postgres;
process.send({ started: { connection, pid, adopted, cluster } });
process.once('message', () => postgres.stop().then(() => process.disconnect()));
