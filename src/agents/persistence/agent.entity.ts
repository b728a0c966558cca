import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { bigintColumn, timeColumn } from '../../platform/database/columns.js';
import type { Agent, Health, Liveness } from '../domain/agent.js';

@Entity('agents')
@Check('agents_health_check', `health IN ('healthy', 'unhealthy', 'unknown')`)
@Check('agents_liveness_check', `liveness IN ('active', 'suspect', 'offline')`)
// TypeORM cannot say DESC.
@Index('agents_listed', { synchronize: false })
@Index('agents_by_type', { synchronize: false })
// Nor an index that is not a B-tree.
@Index('agents_by_capability', { synchronize: false })
@Index('agents_to_probe', ['probe_at'], { where: 'probe_at IS NOT NULL' })
@Index('agents_alive', ['id', 'project_id'], { where: `liveness <> 'offline'` })
export class AgentEntity implements Agent {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text') project_id: string;
  @Column('text') type: string;
  @Column('text', { nullable: true }) name: string | null;
  @Column('text', { nullable: true }) version: string | null;
  @Column('text', { array: true, default: [] }) capabilities: string[];
  @Column('text', { nullable: true }) health_check_url: string | null;
  @Column('jsonb', { default: {} }) configuration: Record<string, unknown>;
  @Column('jsonb', { nullable: true }) metadata: Record<string, unknown> | null;
  @Column('int') capacity: number;
  @Column('text', { default: 'unknown' }) health: Health;
  @Column('text', { nullable: true }) health_reason: string | null;
  @timeColumn({
    nullable: true,
    comment: 'When health_check_url is asked next; whoever asks moves it on first, so that one process does.',
  })
  probe_at: string | null;
  @Column('text') liveness: Liveness;
  @Column('boolean', { default: false }) draining: boolean;
  @Column('int') session_epoch: number;
  @timeColumn() session_began_at: string;
  @timeColumn() last_seen: string;
  @timeColumn() lease_until: string;
  @Column('jsonb', { nullable: true }) performance_metrics: Record<string, unknown> | null;
  @Column('text') webhook_secret: string;
  @bigintColumn() seq: number;
  @timeColumn() created_at: string;
  @timeColumn() updated_at: string;
}
