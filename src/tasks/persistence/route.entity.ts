import { Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm';

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
export class RouteEntity {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'ALWAYS' }) id: number;
  @Column('text') project_id: string;
  @Column('text') agent_type: string;
  @Column('text', { array: true }) capabilities: string[];
  @Column('text', { default: '' }) assigned_agent: string;
}
