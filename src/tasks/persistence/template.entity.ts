import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';

@Entity('templates')
// TypeORM cannot say DESC.
@Index('templates_listed', { synchronize: false })
export class TemplateEntity {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text', { comment: 'A project, or * for what is built in.' }) project_id: string;
  @Column('int', { comment: 'The newest; what it holds is in template_versions.' }) version: number;
  @Column('text', { comment: 'Of what was first posted: the id is an idempotency key.' }) body_hash: string;
  @timeColumn() created_at: string;
}
