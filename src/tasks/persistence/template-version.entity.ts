import { Column, Entity, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';

@Entity('template_versions')
export class TemplateVersionEntity {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text') project_id: string;
  @PrimaryColumn('int') version: number;
  @Column('text') name: string;
  @Column('text', { nullable: true }) agent_type: string | null;
  @Column('json', { comment: 'json, not jsonb: it is answered as it was sent.' })
  input_schema: Record<string, unknown>;
  @Column('json') defaults: Record<string, unknown>;
  @timeColumn() created_at: string;
}
