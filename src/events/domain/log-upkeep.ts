/** Positions of the narrowest and of the widest partition. */
const MIN_WIDTH = 1_000_000;
const MAX_WIDTH = 100_000_000;
/** Partitions that lie ahead of the one that is written to: a burst must not reach the end of the last. */
const AHEAD = 3;
/** A partition spans this part of the retention at most: what goes with the others around it is never much older. */
const SLICES = 8;
/** Between telling readers of a gap and making it: longer than any request, or page of a replay, takes. */
const GRACE_MS = 60_000;

const DAY_MS = 86_400_000;

/** A part of the log: positions `from` (included) to `to` (not included). Times are ISO 8601, of the database. */
export interface Partition {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  /** It is on its way out of the log, and was interrupted. */
  readonly detaching: boolean;
  /** When its first event was written; null in an empty one. */
  readonly firstAt: string | null;
  readonly lastAt: string | null;
  readonly lastPos: number | null;
}

export interface LogState {
  readonly now: string;
  /** The position that the next event gets. */
  readonly next: number;
  /** Up to and with this position, readers are told of a gap. */
  readonly start: number;
  readonly startMovedAt: string;
  /** In the order of their positions. */
  readonly partitions: readonly Partition[];
}

export type Upkeep =
  | { readonly does: 'create'; readonly from: number; readonly to: number }
  /** Goes on in the next partition, at `next`. */
  | { readonly does: 'cut'; readonly before: number; readonly next: number }
  | { readonly does: 'move_start'; readonly to: number }
  | { readonly does: 'drop'; readonly partition: Partition };

/**
 * What the log's partitions need now: enough of them ahead; a cut when the present one has spanned its time, so that a
 * quiet log is dropped in time too (positions are skipped, of which there are enough); and the end of those whose newest
 * event is older than the retention, first told to readers, then done.
 */
export function planUpkeep(log: LogState, retentionDays: number): Upkeep[] {
  const slice = (retentionDays * DAY_MS) / SLICES;
  const isOlder = (time: string | null, ms: number): boolean =>
    time !== null && Date.parse(time) < Date.parse(log.now) - ms;
  const present = log.partitions.find(({ from, to }) => from <= log.next && log.next < to);
  const ahead = log.partitions.filter(({ from }) => from > log.next);
  const plan: Upkeep[] = [];

  const used = log.partitions
    .filter(({ lastAt }) => lastAt !== null && !isOlder(lastAt, slice))
    .reduce((sum, { from, lastPos }) => sum + (lastPos ?? from) - from + 1, 0);
  const width = Math.min(Math.max(Math.ceil(used / MIN_WIDTH), 1) * MIN_WIDTH, MAX_WIDTH);
  let top = Math.max(log.next, ...log.partitions.map(({ to }) => to));
  for (let count = ahead.length; count < AHEAD; count += 1) {
    plan.push({ does: 'create', from: top, to: top + width });
    top += width;
  }

  if (present !== undefined && isOlder(present.firstAt, slice))
    plan.push({ does: 'cut', before: present.to, next: present.to });

  const over = log.partitions.filter(({ to }) => to <= log.next);
  const young = over.findIndex(({ lastAt }) => lastAt !== null && !isOlder(lastAt, retentionDays * DAY_MS));
  const expired = young === -1 ? over : over.slice(0, young);
  const start = Math.max(log.start, ...expired.map(({ lastPos }) => lastPos ?? 0));
  if (start > log.start) plan.push({ does: 'move_start', to: start });
  else if (isOlder(log.startMovedAt, GRACE_MS))
    plan.push(...expired.map((partition) => ({ does: 'drop', partition }) as const));
  return plan;
}
