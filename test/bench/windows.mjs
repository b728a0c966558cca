// Measures what runs, a window after the other: how much got done, how long each took, and what CPU it cost whom.
import { setTimeout as sleep } from 'node:timers/promises';

/** On a slow machine a window goes on until this much is done, but no longer than so many seconds. */
const FEWEST = 20;
const LONGEST = 60;

/** @param take answers with the latencies, in ms, of what was done since it was last asked */
export async function measure(bed, loads, take, { seconds, times }) {
  const windows = [];
  for (let n = 0; n < times; n += 1) windows.push(await oneWindow(bed, loads, take, seconds));
  return windows;
}

export async function oneWindow(bed, loads, take, seconds) {
  await take();
  const before = bed.cpu(loads);
  const startedAt = performance.now();
  const passed = () => performance.now() - startedAt;
  const latencies = [];
  while (latencies.length < FEWEST) {
    if (passed() > LONGEST * 1000)
      throw new Error(`only ${latencies.length} things were done in ${LONGEST} s`);
    await sleep(seconds * 1000);
    latencies.push(...(await take()));
  }
  return { latencies, tookMs: passed(), cpuMs: difference(bed.cpu(loads), before) };
}

export function difference(after, before) {
  return Object.fromEntries(Object.entries(after).map(([who, ms]) => [who, ms - before[who]]));
}

/** The figures of all windows together, and the rate and CPU of each. */
export function figuresOf(windows) {
  const latencies = windows.flatMap((window) => window.latencies).sort((a, b) => a - b);
  const cpuMs = {};
  for (const window of windows) {
    for (const [who, ms] of Object.entries(window.cpuMs)) cpuMs[who] = (cpuMs[who] ?? 0) + ms;
  }
  const tookMs = windows.reduce((sum, window) => sum + window.tookMs, 0);
  return {
    count: latencies.length,
    rate: (latencies.length / tookMs) * 1000,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpu: perTask(cpuMs, latencies.length),
    windows: windows.map((window) => ({
      rate: (window.latencies.length / window.tookMs) * 1000,
      cpu: perTask(window.cpuMs, window.latencies.length),
    })),
  };
}

/** Of numbers in ascending order. */
export function percentile(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

function perTask(cpuMs, count) {
  const all = Object.values(cpuMs).reduce((sum, ms) => sum + ms, 0);
  return Object.fromEntries(Object.entries({ ...cpuMs, all }).map(([who, ms]) => [who, ms / count]));
}
