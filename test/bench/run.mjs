// npm run bench [-- <scenario or its beginning>…] [--quick] [--json FILE] [--prof FOLDER]
// Measures a server on the embedded default, over HTTP and sockets with real tokens, and its targets. Without names: all.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { CAN_COUNT } from './cpu.mjs';
import { print } from './report.mjs';
import { BROADCASTS } from './scenarios/broadcast.mjs';
import { CLAIMS } from './scenarios/claims.mjs';
import { CREATES } from './scenarios/create.mjs';
import { IDLES } from './scenarios/idle.mjs';
import { ROUTERS } from './scenarios/router.mjs';
import { WALKS } from './scenarios/walk.mjs';
import { WORKFLOWS } from './scenarios/workflow.mjs';
import { TestBed } from './test-bed.mjs';

const SCENARIOS = [...CREATES, ...WALKS, ...IDLES, ...WORKFLOWS, ...CLAIMS, ...ROUTERS, ...BROADCASTS];
/** Warm-up: until so much is done, at most so many seconds; then so many windows of so many seconds. */
const PACE = { warmUp: { done: 5000, atMost: 60 }, seconds: 4, times: 3, manyRows: 1_000_000 };
/** Proves that the bench works: figures so short tell nothing. One of each kind. */
const QUICK = { warmUp: { done: 50, atMost: 0.5 }, seconds: 0.7, times: 1, manyRows: 10_000 };
const QUICK_ONES = [
  'create-16',
  'http-16',
  'batched-16',
  'socket-16',
  'idle',
  'workflow-socket-alone',
  'claims',
  'router',
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'string' },
    prof: { type: 'string' },
  },
});

const wanted = positionals.length === 0 && values.quick ? QUICK_ONES : positionals;
const chosen = SCENARIOS.filter(
  ({ name }) => wanted.length === 0 || wanted.some((beginning) => name.startsWith(beginning)),
);
if (chosen.length === 0) {
  console.error(`There are the scenarios ${SCENARIOS.map(({ name }) => name).join(', ')}.`);
  process.exit(1);
}
const load = loadavg()[0].toFixed(1);
console.log(`${cpus().length} cores, load average ${load} before the bench began.`);
if (!CAN_COUNT) console.log('CPU time is not counted: this machine has no /proc.');

let failed = false;
const rows = [];
const bed = await TestBed.start({ profileIn: values.prof });
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => void bed.stop().then(() => process.exit(1)));
try {
  for (const { name, about, run } of chosen) {
    console.error(`… ${name}: ${about}`);
    const measured = await run(bed, values.quick ? QUICK : PACE);
    rows.push(...measured.map((row) => ({ name, about, ...row })));
    // What was measured is not lost with what comes after.
    if (values.json !== undefined) save(values.json);
  }
} catch (error) {
  failed = true;
  console.error(error);
} finally {
  await bed.stop();
}
print(rows, { judged: !values.quick });
process.exit(failed ? 1 : 0);

function save(file) {
  writeFileSync(file, `${JSON.stringify({ quick: values.quick, rows }, null, 2)}\n`);
}
