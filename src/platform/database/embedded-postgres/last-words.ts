const GRAVE = /\b(FATAL|PANIC|error|ERROR):/;

/** The line that says why a program of PostgreSQL gave up: its last grave one, else its last. */
export function lastWords(lines: readonly string[]): string | undefined {
  return lines.findLast((line) => GRAVE.test(line)) ?? lines.findLast((line) => line.trim() !== '');
}
