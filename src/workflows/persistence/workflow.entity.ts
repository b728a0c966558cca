import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { bigintColumn, timeColumn } from '../../platform/database/columns.js';
import type { WorkflowRow } from './workflow-rows.js';

@Entity('workflows')
@Check(
  'workflows_status_check',
  `status IN ('pending', 'running', 'paused', 'compensating', 'completed', 'failed', 'cancelled')`,
)
@Index('workflows_to_check', ['check_at'], { where: 'check_at IS NOT NULL' })
// TypeORM cannot say DESC.
@Index('workflows_listed', { synchronize: false })
@Index('workflows_by_status', { synchronize: false })
@Index('workflows_by_correlation', { synchronize: false })
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
  @Column('int', { default: 0, comment: 'Of what was posted, as JSON.' }) posted_bytes: number;
  @Column('int', { nullable: true }) timeout: number | null;
  @timeColumn({ nullable: true }) deadline_at: string | null;
  @timeColumn({
    nullable: true,
    comment:
      'When somebody has to look at it, whatever its tasks do: at its deadline, or now, when a look left something to start.',
  })
  check_at: string | null;
  @Column('int', { default: 1 }) run: number;
  @bigintColumn() seq: number;
  @timeColumn() created_at: string;
  @timeColumn() updated_at: string;
  @timeColumn({ nullable: true }) ended_at: string | null;
}
