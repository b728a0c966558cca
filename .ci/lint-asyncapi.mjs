// The official AsyncAPI parser over the document of the built server; warnings count as errors.
// Usage: node .ci/lint-asyncapi.mjs [<file for "passed failed">]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, Tally, withServer } from './served.mjs';

const PARSER = '@asyncapi/parser@3.6.0';

const work = mkdtempSync(join(tmpdir(), 'parley-asyncapi-'));
const tally = new Tally();
try {
  // In a folder of its own: it brings 150 packages that the project does not need.
  writeFileSync(join(work, 'package.json'), '{ "private": true }');
  const install = ['install', '--prefix', work, '--no-audit', '--no-fund', '--ignore-scripts', PARSER];
  if ((await run('npm', [...install, '--loglevel', 'error'])) !== 0)
    throw new Error(`npm could not install ${PARSER}`);
  const { Parser } = createRequire(join(work, 'package.json'))('@asyncapi/parser');
  await withServer(async ({ url }) => {
    const { document, diagnostics } = await new Parser().parse(
      await (await fetch(`${url}/asyncapi.json`)).text(),
    );
    // 3.0 is what clients' tools read today.
    const problems = diagnostics.filter(({ code }) => code !== 'asyncapi-latest-version');
    for (const { path, message, severity } of problems)
      console.log(`${severity === 0 ? 'error' : 'note'}: ${path.join('.')}: ${message}`);
    tally.check('the AsyncAPI parser finds nothing', problems.length === 0);
    tally.check(
      'the AsyncAPI parser reads channels and operations',
      (document?.operations().length ?? 0) > 40,
    );
  });
} finally {
  rmSync(work, { recursive: true, force: true });
}
tally.finish(process.argv[2]);
