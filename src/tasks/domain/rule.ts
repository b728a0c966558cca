/** What keeps a task from running now, in the order in which it is looked for. */
export const RULES = [
  'ended',
  'running',
  'dependency',
  'workflow_paused',
  'not_before',
  'backoff',
  'assigned_agent_away',
  'no_live_agent',
  'capability',
  'capacity',
  'behind_others',
  'unclaimed',
] as const;
export type Rule = (typeof RULES)[number];

/** Why a task is where it is, with the facts. */
export interface Explanation {
  readonly rule: Rule;
  readonly message: string;
  /** Since when it holds; null where nobody knows. */
  readonly since: string | null;
  /** When it ends by itself; null: not by time. */
  readonly until: string | null;
  /** What would change it. */
  readonly remedy: string;
  readonly details: Readonly<Record<string, unknown>>;
}
