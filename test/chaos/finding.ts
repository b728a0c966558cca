import type { History, Outcome } from './history.js';

/** A promise that was broken, and by what. The names are those of the report. */
export interface Finding {
  readonly broken:
    | 'lost'
    | 'not completed once'
    | 'stale accepted'
    | 'gap in seq'
    | 'order'
    | 'not delivered'
    | 'offered late'
    | 'taken early'
    | 'answer';
  readonly text: string;
}

/** A promise, as a question to all that a run has left. */
export type Check = (history: History, outcome: Outcome, leaseMs: number) => Finding[];
