import { Check, Column, Entity, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';
import type { StageRow } from './workflow-rows.js';

@Entity('workflow_stages')
@Check(
  'workflow_stages_status_check',
  `status IN ('pending', 'running', 'completed', 'failed', 'skipped', 'cancelled', 'compensated')`,
)
export class WorkflowStageEntity implements StageRow {
  @PrimaryColumn('text') workflow_id: string;
  @PrimaryColumn('text') project_id: string;
  @PrimaryColumn('text') name: string;
  @Column('int') position: number;
  @Column('jsonb') definition: StageRow['definition'];
  @Column('text') status: StageRow['status'];
  @Column('text', { nullable: true }) task_id: string | null;
  @Column('text', {
    nullable: true,
    comment: 'The task that undoes it; a completed stage with an error is one that could not be undone.',
  })
  compensation_task_id: string | null;
  @timeColumn({ nullable: true }) started_at: string | null;
  @timeColumn({ nullable: true }) ended_at: string | null;
  @Column('jsonb', { nullable: true }) output: unknown;
  @Column('int', { default: 0, comment: 'Of the output as JSON; 0 without one.' }) output_bytes: number;
  @Column('jsonb', { nullable: true }) error: StageRow['error'];
}
