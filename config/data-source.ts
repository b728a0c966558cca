import type pg from 'pg';
import { DataSource } from 'typeorm';
import { MIGRATIONS } from '../migrations/index.js';
import { AgentEntity } from '../src/agents/persistence/agent.entity.js';
import { ClientEntity } from '../src/auth/persistence/client.entity.js';
import { SigningKeyEntity } from '../src/auth/persistence/signing-key.entity.js';
import { IdempotencyKeyEntity } from '../src/platform/idempotency/idempotency-key.entity.js';
import { DeliveryEntity } from '../src/events/persistence/delivery.entity.js';
import { MailboxEntity } from '../src/events/persistence/mailbox.entity.js';
import { MessageEntity } from '../src/events/persistence/message.entity.js';
import { RelayCursorEntity } from '../src/events/persistence/relay-cursor.entity.js';
import { RequestEntity } from '../src/events/persistence/request.entity.js';
import { SubscriptionEntity } from '../src/events/persistence/subscription.entity.js';
import { RouteEntity } from '../src/tasks/persistence/route.entity.js';
import { TaskEntity } from '../src/tasks/persistence/task.entity.js';
import { TaskAttemptEntity } from '../src/tasks/persistence/task-attempt.entity.js';
import { TaskDependencyEntity } from '../src/tasks/persistence/task-dependency.entity.js';
import { TaskOperationEntity } from '../src/tasks/persistence/task-operation.entity.js';
import { TemplateEntity } from '../src/tasks/persistence/template.entity.js';
import { TemplateVersionEntity } from '../src/tasks/persistence/template-version.entity.js';
import { UnservedTypeEntity } from '../src/tasks/persistence/unserved-type.entity.js';
import { WorkflowEntity } from '../src/workflows/persistence/workflow.entity.js';
import { WorkflowStageEntity } from '../src/workflows/persistence/workflow-stage.entity.js';

/**
 * What TypeORM knows of the schema; a test holds it against what the migrations make. `events` is not here, since TypeORM
 * knows no partitions, nor are server_settings, server_pulse and log_start, which are a few facts and no things.
 */
const ENTITIES = [
  AgentEntity,
  ClientEntity,
  DeliveryEntity,
  IdempotencyKeyEntity,
  MailboxEntity,
  MessageEntity,
  RelayCursorEntity,
  RequestEntity,
  RouteEntity,
  SigningKeyEntity,
  SubscriptionEntity,
  TaskAttemptEntity,
  TaskDependencyEntity,
  TaskEntity,
  TaskOperationEntity,
  TemplateEntity,
  TemplateVersionEntity,
  UnservedTypeEntity,
  WorkflowEntity,
  WorkflowStageEntity,
];

/** TypeORM over connections of ours; not yet initialised. */
export function createDataSource(connections: pg.PoolConfig): DataSource {
  return new DataSource({
    type: 'postgres',
    entities: ENTITIES,
    migrations: MIGRATIONS,
    extra: connections,
    installExtensions: false,
    // An idle connection that breaks is replaced when it is next needed; what it was needed for says so then.
    poolErrorHandler: () => {},
  });
}
