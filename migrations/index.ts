import { FirstSchema1700000000000 } from './1700000000000-first-schema.js';
import { AgentsInFull1700000005010 } from './1700000005010-agents-in-full.js';
import { Templates1700000005020 } from './1700000005020-templates.js';
import { WorkflowsInFull1700000005030 } from './1700000005030-workflows-in-full.js';
import { TasksInFull1700000005040 } from './1700000005040-tasks-in-full.js';
import { IdempotencyKeys1700000005050 } from './1700000005050-idempotency-keys.js';
import { AgentsTalk1700000005060 } from './1700000005060-agents-talk.js';
import { CredentialIds1700000005065 } from './1700000005065-credential-ids.js';
import { Deliveries1700000005070 } from './1700000005070-deliveries.js';
import { ListsBounded1700000005080 } from './1700000005080-lists-bounded.js';
import { Retention1700000005040 } from './1700000005040-retention.js';

/** Every migration, in order. */
export const MIGRATIONS = [
  FirstSchema1700000000000,
  AgentsInFull1700000005010,
  Templates1700000005020,
  WorkflowsInFull1700000005030,
  Retention1700000005040,
  TasksInFull1700000005040,
  IdempotencyKeys1700000005050,
  AgentsTalk1700000005060,
  CredentialIds1700000005065,
  Deliveries1700000005070,
  ListsBounded1700000005080,
];
