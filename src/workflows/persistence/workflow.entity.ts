import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { bigintColumn, timeColumn } from '../../platform/database/columns.js';
import type { WorkflowRow } from './workflow-rows.js';

@Entity('workflows')
@Check(
  'workflows_status_check',
  `status IN ('pending', 'running', 'paused', 'compensating', 'completed', 'failed', 'cancelled')`,
)
// TypeORM cannot say DESC.
@Index('workflows_listed', { synchronize: false })
@Index('workflows_by_status', { synchronize: false })
export class WorkflowEntity implements WorkflowRow {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text') project_id: string;
  @Column('text') name: string;
  @Column('text') status: WorkflowRow['status'];
  @Column('jsonb') configuration: WorkflowRow['configuration'];
  @Column('jsonb', { nullable: true }) input_data: unknown;
  @Column('jsonb', { nullable: true }) metadata: unknown;
  @Column('jsonb', { nullable: true }) error: WorkflowRow['error'];
  @Column('text') correlation_id: string;
  @Column('text') body_hash: string;
  @Column('int', { default: 1 }) run: number;
  @bigintColumn() seq: number;
  @timeColumn() created_at: string;
  @timeColumn() updated_at: string;
  @timeColumn({ nullable: true }) ended_at: string | null;
}
