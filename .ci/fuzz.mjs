// Schemathesis over the whole OpenAPI document of the built server: valid and mutated requests, each answer held to the
// document, then chains of calls along the document's links. Usage: node .ci/fuzz.mjs [<file for "passed failed">] [long]
// `long` goes on, seed by seed, until 20,000 requests were sent.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, Tally, withServer } from './served.mjs';

const SCHEMATHESIS = 'schemathesis==4.32.0';
const LONG_REQUESTS = 20_000;
const options = process.argv.slice(2);
const isLong = options.includes('long');
const resultFile = options.find((option) => option !== 'long');

const work = mkdtempSync(join(tmpdir(), 'parley-fuzz-'));
const tally = new Tally();
try {
  const program = await install();
  if (program === undefined) {
    console.log('SKIPPED: the OpenAPI fuzz needs Python 3.10+ with venv and pip, and this machine has none.');
  } else {
    await withServer(async (server) => {
      await fuzz(program, server);
      const live = await fetch(`${server.url}/health/ready`).catch(() => undefined);
      tally.check('the server is ready afterwards', live?.status === 200);
      const defects = server.output().match(/^.*"level":"(error|fatal)".*$/gm) ?? [];
      tally.check('no defect is in its log', defects.length === 0, defects[0]?.slice(0, 500));
    });
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}
tally.finish(resultFile);

/** The path of the program; undefined where Python is missing. */
async function install() {
  const python = join(work, 'venv/bin/python');
  const made = await run('python3', ['-m', 'venv', join(work, 'venv')]);
  if (made !== 0) return undefined;
  const pip = words('-m pip install --quiet --disable-pip-version-check');
  const got = await run(python, [...pip, SCHEMATHESIS]);
  if (got !== 0) throw new Error(`pip could not install ${SCHEMATHESIS}`);
  return join(work, 'venv/bin/schemathesis');
}

async function fuzz(program, server) {
  const document = await (await fetch(`${server.url}/openapi.json`)).json();
  writeFileSync(join(work, 'openapi.json'), JSON.stringify(exact(document)));
  writeFileSync(join(work, 'schemathesis.toml'), settingsFor(document));
  let sent = 0;
  for (let seed = 1; seed === 1 || (isLong && sent < LONG_REQUESTS); seed += 1) {
    const single = `--phases examples,coverage,fuzzing -n ${isLong ? 100 : 20}`;
    sent += await phase(program, server, seed, 'single calls', single);
    const chains = '--phases stateful --mode positive -n 100';
    sent += await phase(program, server, seed, 'chains of calls', chains);
  }
  if (isLong) tally.check(`${LONG_REQUESTS} requests at least`, sent >= LONG_REQUESTS, `${sent}`);
}

/** Runs one set of phases; tells how many requests it has sent. */
async function phase(program, server, seed, name, args) {
  const report = join(work, 'report.json');
  rmSync(report, { force: true });
  const began = performance.now();
  // One worker: in older Pythons two threads trip over each other in the parser that Hypothesis calls. 405 is no part of
  // the document, which names no operation by a method that it does not have. A slow machine is no finding.
  const common = `--seed ${seed} --workers 1 --no-color --report json --report-json-path ${report}`;
  const checks = '--checks all --exclude-checks unsupported_method --suppress-health-check all';
  const target = ['--url', server.url, '-H', `Authorization: Bearer ${server.token}`];
  const code = await run(
    program,
    ['run', 'openapi.json', ...target, ...words(`${common} ${checks} ${args}`)],
    { cwd: work, env: { ...process.env, SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'schemathesis.py') } },
  );
  const sent = requestsIn(report);
  const seconds = Math.round((performance.now() - began) / 1000);
  tally.check(`${name}, seed ${seed}`, code === 0, `${sent} requests in ${seconds} s`);
  return sent;
}

function words(text) {
  return text.split(' ');
}

function requestsIn(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8')).test_cases.generated;
  } catch {
    return 0;
  }
}

function operationsOf(document) {
  return Object.values(document.paths).flatMap((item) => Object.values(item));
}

/** The document with every schema closed: an answer must not hold a field that is not described. */
function exact(document) {
  const closed = structuredClone(document);
  for (const schema of Object.values(closed.components.schemas)) {
    if (schema.properties !== undefined) schema.additionalProperties ??= false;
  }
  // A stream ends when its client does, and the fuzzer waits for the end.
  for (const item of Object.values(closed.paths))
    if (item.get?.responses['200']?.content?.['text/event-stream'] !== undefined) delete item.get;
  // Two generated requests mostly share a key and nothing else: each would be refused for that, before what it is to test.
  for (const operation of operationsOf(closed))
    operation.parameters = operation.parameters?.filter(({ name }) => name !== 'Idempotency-Key');
  return closed;
}

/** What the checks cannot know, from what the document says of itself. */
function settingsFor(document) {
  const operations = operationsOf(document);
  const idsOf = (some) => JSON.stringify(operations.filter(some).map(({ operationId }) => operationId));
  const hasRules = ({ 'x-rules': rules, parameters = [] }) =>
    rules !== undefined || parameters.some(({ schema }) => schema?.format === 'cursor');
  const mayFail = ({ responses }) =>
    responses['500'] !== undefined || responses['503'].description.includes('AGENT_UNAVAILABLE');
  return `
# NUL and halves of surrogate pairs are refused everywhere, and a JSON schema cannot say so.
[generation]
allow-x00 = false

[[operations]]
# Rules beyond the schema (x-rules), and cursors, which only an answer can give.
include-operation-id = ${idsOf(hasRules)}
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 412, 429, 503]

[[operations]]
# WORKFLOW_FAILED is a declared 500, AGENT_UNAVAILABLE a declared 503.
include-operation-id = ${idsOf(mayFail)}
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", 500, 503]
`;
}
