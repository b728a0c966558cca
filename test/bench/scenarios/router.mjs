// Events through the router of one process, in memory: what an event costs does not depend on who does not want it.
import { performance } from 'node:perf_hooks';

const ROOT = new URL('../../../', import.meta.url);
const SIZES = [100, 10_000, 100_000];
/** Each event is for so many, however many others there are. */
const LISTENERS = 2;
/** Topics of a window; each is met four times, three of them from the cache. */
const TOPICS = 5_000;
const ROUNDS = 4;
/** How much slower the most subscriptions may be than the fewest. */
const FLAT = 2;

async function run(_bed, { times }) {
  const { Audience } = await import(new URL('dist/src/events/audience.js', ROOT));
  measured(crowd(Audience, SIZES[0]), times);
  const rows = SIZES.map((size) => ({ name: `router-${size}`, ...measured(crowd(Audience, size), times) }));
  const [fewest, most] = [rows[0], rows.at(-1)];
  const what = `rate at ${SIZES[0]} ÷ rate at ${SIZES.at(-1)} subscriptions`;
  most.targets = [{ what, value: fewest.rate / most.rate, atMost: FLAT }];
  return rows;
}

/** Half of those who do not listen name a topic, half have a wildcard. */
function crowd(Audience, size) {
  const audience = new Audience({ of: (event) => event });
  const seen = { told: 0 };
  const add = (pattern) =>
    audience.add({
      selection: { projectId: '*', patterns: [pattern], filter: {} },
      deliver: () => (seen.told += 1),
    });
  for (let n = 0; n < LISTENERS; n += 1) add('task.*.completed');
  for (let n = LISTENERS; n < size; n += 1)
    add(n % 2 === 0 ? `task.other_${n}.failed` : `agent.other_${n}.*`);
  return { audience, seen };
}

function measured({ audience, seen }, times) {
  const windows = Array.from({ length: times }, (_, n) => {
    const events = [...Array(TOPICS).keys()].map((i) => ({
      type: 'task.completed',
      topic: `task.type_${n}_${i}.completed`,
      project_id: 'bench',
      payload: {},
    }));
    const startedAt = performance.now();
    for (let round = 0; round < ROUNDS; round += 1) for (const event of events) audience.tell(event);
    return { rate: (ROUNDS * TOPICS * 1000) / (performance.now() - startedAt) };
  });
  if (seen.told !== times * ROUNDS * TOPICS * LISTENERS) throw new Error('somebody was not told');
  return { rate: windows.reduce((sum, { rate }) => sum + rate, 0) / times, windows };
}

export const ROUTERS = [{ name: 'router', about: 'events through the router, in memory', run }];
