import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';
import type { EndedAttempt } from '../domain/task.js';

@Entity('task_attempts', {
  comment: 'One row per attempt, written when it ends; the running one is in tasks.',
})
@Index('task_attempts_lost', ['agent_id', 'ended_at'], {
  where: `outcome IN ('cancelled', 'lease_expired', 'timed_out')`,
})
export class TaskAttemptEntity implements EndedAttempt {
  @PrimaryColumn('text') task_id: string;
  @PrimaryColumn('text') project_id: string;
  @PrimaryColumn('int') attempt: number;
  @Column('text') agent_id: string;
  @timeColumn() assigned_at: string;
  @timeColumn() ended_at: string;
  @Column('text') outcome: EndedAttempt['outcome'];
  @Column('jsonb', { nullable: true }) error: EndedAttempt['error'];
}
