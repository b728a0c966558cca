const COLUMNS = [
  ['scenario', ({ name }) => name],
  ['rate /s', ({ rate }) => number(rate, 0)],
  ['p50 ms', ({ p50 }) => number(p50, 1)],
  ['p99 ms', ({ p99 }) => number(p99, 1)],
  ['CPU ms each: server', ({ cpu }) => number(cpu?.server, 2)],
  ['Postgres', ({ cpu }) => number(cpu?.postgres, 2)],
  ['load', ({ cpu }) => number(cpu?.load, 2)],
  ['all', ({ cpu }) => number(cpu?.all, 2)],
];

/** A line for each measurement, and one for each target, where they are judged. */
export function print(rows, { judged }) {
  const lines = [COLUMNS.map(([title]) => title), ...rows.map((row) => COLUMNS.map(([, cell]) => cell(row)))];
  const widths = COLUMNS.map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  for (const line of lines) {
    console.log(
      line
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column])))
        .join('  '),
    );
  }
  if (!judged) return;
  for (const { name, targets = [] } of rows) for (const target of targets) console.log(verdict(name, target));
}

function verdict(name, { what, value, atMost, atLeast }) {
  const met = atMost === undefined ? value >= atLeast : value <= atMost;
  const wanted = atMost === undefined ? `≥ ${atLeast}` : `≤ ${atMost}`;
  return `${met ? 'met   ' : 'MISSED'}  ${name}: ${what} ${number(value, 2)} (wanted ${wanted})`;
}

function number(value, digits) {
  return value === undefined ? '-' : value.toFixed(digits);
}
