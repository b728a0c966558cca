// The load of a scenario: creators and workers in processes of their own, for as long as something is measured.
import { setTimeout as sleep } from 'node:timers/promises';
import { LoadProcess } from './load-process.mjs';

const LOOK_MS = 250;

/** Runs `use` with a creator, workers for the agents, and `take`, which answers with the creator's latencies. */
export async function withLoad(bed, { creator: creation, workers: works = [] }, use) {
  const { url, token } = bed.server;
  const workers = await Promise.all(
    works.map((one) => LoadProcess.start('worker.process.mjs', { url, ...one })),
  );
  const creator = await LoadProcess.start('creator.process.mjs', { url, token, ...creation });
  const processes = [creator, ...workers];
  try {
    const take = () => creator.ask('take');
    const failures = processes.map(({ failed }) => failed);
    return await Promise.race([
      use({ creator, workers, take, pids: processes.map(({ pid }) => pid) }),
      ...failures,
    ]);
  } finally {
    await Promise.all(processes.map((one) => one.end()));
  }
}

/** Until so many things are done that the servers and the load have compiled what they run, or `atMost` seconds are over. */
export async function warmUp(take, { done, atMost }) {
  const giveUpAt = performance.now() + atMost * 1000;
  for (let count = 0; count < done && performance.now() < giveUpAt;) {
    await sleep(LOOK_MS);
    count += (await take()).length;
  }
}
