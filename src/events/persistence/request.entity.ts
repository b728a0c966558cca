import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { bigintColumn, timeColumn } from '../../platform/database/columns.js';

@Entity('requests')
@Index('requests_due', ['deadline_at'], { where: `status = 'pending'` })
@Index('requests_listed', { synchronize: false })
@Index('requests_of_all', { synchronize: false })
@Index('requests_ended', ['ended_at'], { where: 'ended_at IS NOT NULL' })
export class RequestEntity {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text') project_id: string;
  @Column('text') body_hash: string;
  @Column('text') type: string;
  @Column('text', { nullable: true }) source: string | null;
  @Column('text', { nullable: true }) source_mailbox: string | null;
  @Column('text') target: string;
  @Column('text', { comment: 'Project and id of the target.' }) mailbox: string;
  @Column('text') correlation_id: string;
  @Column('json') data: unknown;
  @Column('int') timeout: number;
  @timeColumn() deadline_at: string;
  @Column('text', { nullable: true }) callback_url: string | null;
  @Column('text') status: string;
  @Column('json', { nullable: true }) response: unknown;
  @bigintColumn() seq: number;
  @timeColumn() created_at: string;
  @timeColumn() updated_at: string;
  @timeColumn({ nullable: true }) ended_at: string | null;
}
