import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';

@Entity('task_operations')
@Check('task_operations_kind_check', `kind IN ('retry')`)
@Check('task_operations_status_check', `status IN ('running', 'completed')`)
@Index('task_operations_running', ['created_at'], { where: `status = 'running'` })
export class TaskOperationEntity {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text') project_id: string;
  @Column('text') kind: string;
  @Column('text') status: string;
  @Column('jsonb') filter: unknown;
  @Column('int') matched: number;
  @Column('int', { default: 0 }) done: number;
  @Column('int', { default: 0 }) skipped: number;
  @timeColumn({
    nullable: true,
    comment: 'With position_id: the task it has come to, moved on in the transaction that did the work.',
  })
  position_at: string | null;
  @Column('text', { nullable: true }) position_id: string | null;
  @Column('text') body_hash: string;
  @timeColumn() created_at: string;
  @timeColumn() updated_at: string;
  @timeColumn({ nullable: true }) ended_at: string | null;
}
