// CPU time of process trees, as the kernel counts it: living processes, and the children they have outlived.
import { readdirSync, readFileSync } from 'node:fs';

/** The kernel reports in hundredths of a second, whatever its own tick is. */
const TICK_MS = 10;

/** Without /proc nothing can be counted, and the bench says so. */
export const CAN_COUNT = process.platform === 'linux';

/** @returns CPU ms since the start of the processes `roots` and all their descendants */
export function cpuOf(roots) {
  const processes = allProcesses();
  const wanted = new Set(roots);
  // A child may have a smaller pid than its parent: go on until no more are found.
  for (let before = -1; before !== wanted.size;) {
    before = wanted.size;
    for (const [pid, { parent }] of processes) if (wanted.has(parent)) wanted.add(pid);
  }
  return [...wanted].reduce((sum, pid) => sum + (processes.get(pid)?.ms ?? 0), 0);
}

function allProcesses() {
  const processes = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const text = readFileSync(`/proc/${name}/stat`, 'latin1');
      // The name of a program, in brackets, may hold anything; what follows is proc(5)'s third field and on.
      const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      processes.set(Number(name), { parent: Number(fields[1]), ms: ticks * TICK_MS });
    } catch {
      // It has ended meanwhile.
    }
  }
  return processes;
}
