import { FirstSchema1700000000000 } from './1700000000000-first-schema.js';

/** Every migration, in order. */
export const MIGRATIONS = [FirstSchema1700000000000];
