// The processes of a Linux machine, as /proc tells.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** Every process of the machine: id, parent, start (so that a reused id is somebody else), and what it runs where. */
function processes() {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const [state, parent, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        if (state === 'Z') return [];
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
        let cwd = '';
        try {
          cwd = readlinkSync(`/proc/${pid}/cwd`);
        } catch {
          // Somebody else's process: its command and its parent must do.
        }
        return [{ pid: Number(pid), parent: Number(parent), start: rest[17], command, cwd }];
      } catch {
        return []; // It ended while we looked.
      }
    });
}

/** What this start brought to life (children of children too) or what runs in this home. */
export function familyOf(pid, home) {
  const all = processes();
  const family = new Map(
    all
      .filter((one) => one.pid === pid || one.cwd.startsWith(home) || one.command.includes(home))
      .map((one) => [one.pid, one]),
  );
  for (let before = -1; before < family.size;) {
    before = family.size;
    for (const one of all) if (family.has(one.parent)) family.set(one.pid, one);
  }
  return [...family.values()];
}

/** Those of them that still run. */
export function alive(family) {
  const now = new Set(processes().map(({ pid, start }) => `${pid} ${start}`));
  return family.filter(({ pid, start }) => now.has(`${pid} ${start}`));
}
