// Spectral over the OpenAPI document of the built server (rules: .spectral.yaml); warnings count as errors.
// Usage: node .ci/lint-openapi.mjs [<file for "passed failed">]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, SOURCE, Tally, withServer } from './served.mjs';

const SPECTRAL = '@stoplight/spectral-cli@6.16.0';

const work = mkdtempSync(join(tmpdir(), 'parley-spectral-'));
const tally = new Tally();
try {
  // In a folder of its own: it brings 200 packages that the project does not need.
  writeFileSync(join(work, 'package.json'), '{ "private": true }');
  const install = ['install', '--prefix', work, '--no-audit', '--no-fund', '--ignore-scripts', SPECTRAL];
  if ((await run('npm', [...install, '--loglevel', 'error'])) !== 0)
    throw new Error(`npm could not install ${SPECTRAL}`);
  const document = join(work, 'openapi.json');
  await withServer(async ({ url }) => {
    writeFileSync(document, await (await fetch(`${url}/openapi.json`)).text());
  });
  const ruleset = join(SOURCE, '.spectral.yaml');
  const lint = ['lint', document, '--ruleset', ruleset, '--fail-severity', 'hint'];
  const code = await run(join(work, 'node_modules/.bin/spectral'), lint);
  tally.check('spectral finds nothing in the OpenAPI document', code === 0);
} finally {
  rmSync(work, { recursive: true, force: true });
}
tally.finish(process.argv[2]);
