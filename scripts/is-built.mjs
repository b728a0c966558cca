// Exit code 0 when dist/ is what a build would make of the sources and packages now, so that `npm start` builds only when
// it must. Looked at file by file: a change, a file that came, one that went and a build that was broken off are all seen.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const SOURCES = ['src', 'config', 'migrations'];
const SERVER = join('dist', 'server', 'main.js');

const below = (folder) =>
  existsSync(folder) ? readdirSync(folder, { recursive: true }).map((file) => join(folder, file)) : [];
const changedAt = (file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
const newest = (files) => Math.max(...files.map(changedAt));

const sources = SOURCES.flatMap(below).filter(
  (file) => /\.(ts|mjs)$/.test(file) && !file.endsWith('.spec.ts'),
);
const outputs = new Set(
  SOURCES.flatMap((folder) => below(join('dist', folder))).filter((file) => /\.m?js$/.test(file)),
);
const recipe = newest(['.swcrc', 'package.json', 'scripts/build.mjs']);

const fresh = sources.every((source) => {
  const output = join('dist', source.replace(/\.ts$/, '.js'));
  const wanted = Math.max(changedAt(source), recipe);
  return outputs.delete(output) && changedAt(output) >= wanted;
});
// npm writes its own lock at each install.
const bundled =
  changedAt(SERVER) >= Math.max(recipe, newest([...sources, join('node_modules', '.package-lock.json')]));

process.exit(fresh && bundled && outputs.size === 0 ? 0 : 1);
