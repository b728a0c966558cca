import { Column, Entity, Index, PrimaryGeneratedColumn, Unique } from 'typeorm';
import { bigintColumn } from '../../platform/database/columns.js';

@Entity('routes', {
  comment:
    'Who may take a task: (project, agent type, required capabilities, assigned agent) as one small integer.',
})
@Unique('routes_project_id_agent_type_capabilities_assigned_agent_key', [
  'project_id',
  'agent_type',
  'capabilities',
  'assigned_agent',
])
@Index('routes_fair', ['id'], { where: 'fair_from IS NOT NULL' })
export class RouteEntity {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'ALWAYS' }) id: number;
  @Column('text') project_id: string;
  @Column('text') agent_type: string;
  @Column('text', { array: true }) capabilities: string[];
  @Column('text', { default: '' }) assigned_agent: string;
  @bigintColumn({
    nullable: true,
    comment:
      'Set by the first task with a fairness key: from then on this route goes by virtual time, beginning here.',
  })
  fair_from: number | null;
}
