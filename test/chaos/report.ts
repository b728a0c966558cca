import { availableParallelism, loadavg } from 'node:os';
import { waitsForDead } from './lease-checks.js';
import type { Verdict, World } from './world.js';

/** Prints what a scenario came to, a line each, with the seed that repeats it. */
export function report(
  name: string,
  world: World,
  { history, outcome, findings }: Verdict,
  more: object = {},
): void {
  const count = (broken: string): number => findings.filter((finding) => finding.broken === broken).length;
  const { exchanges } = history;
  const waits = waitsForDead(history, outcome).map(({ waited }) => waited);
  const once = outcome.tasks.length - count('not completed once');
  const rows = {
    seed: world.seed,
    tasks: outcome.tasks.length,
    'load average / cores': `${loadavg()[0]?.toFixed(1)} / ${availableParallelism()}`,
    ...more,
    'agents: crashes / pauses': `${sum(world.agents.map(({ crashes }) => crashes))} / ${sum(world.agents.map(({ pauses }) => pauses))}`,
    'requests: all / unanswered': `${exchanges.length} / ${exchanges.filter(({ status }) => status === undefined).length}`,
    ...(world.restarts.length > 0 && {
      'server restarts, first 2xx at most': `${world.restarts.length}, ${Math.max(...world.restarts)} ms`,
    }),
    ...(waits.length > 0 && {
      'waited for a dead agent at most (lease + 1 s)': `${Math.round(Math.max(...waits))} ms (${world.leaseMs + 1_000})`,
    }),
    lost: count('lost'),
    'completed once': once,
    'stale writes: refused / accepted': `${exchanges.filter(({ code }) => code === 'STALE_LEASE').length} / ${count('stale accepted')}`,
    'events / gaps / out of order': `${outcome.log.length} / ${count('gap in seq')} / ${count('order')}`,
    'told to subscribers / missing or wrong': `${history.told.length} / ${count('not delivered')}`,
    'leases taken early / offered late': `${count('taken early')} / ${count('offered late')}`,
    verdict: findings.length === 0 ? 'PASS' : `FAIL, ${findings.length} findings, such as`,
  };
  const width = Math.max(...Object.keys(rows).map((key) => key.length));
  const lines = Object.entries(rows).map(([key, value]) => `  ${key.padEnd(width)}  ${value}`);
  const kinds = new Map(findings.map((finding) => [finding.broken, finding]));
  const examples = [...kinds.values()].map(({ broken, text }) => `    ${broken}: ${text}`);
  process.stdout.write(`\n${name}\n${[...lines, ...examples].join('\n')}\n`);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
