const GRAVE = /\b(FATAL|PANIC|ERROR|error):/;

/** Why a program of PostgreSQL gave up: what it said first of what is grave, without the date; else its last line. */
export function lastWords(lines: readonly string[]): string | undefined {
  const grave = lines.find((line) => GRAVE.test(line));
  return grave === undefined
    ? lines.findLast((line) => line.trim() !== '')
    : grave.slice(grave.search(GRAVE));
}
