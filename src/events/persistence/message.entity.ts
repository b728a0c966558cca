import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';

@Entity('messages', {
  comment: 'What a message is, is its event; this keeps its id unique and its time to live.',
})
@Index('messages_expiring', ['expires_at'], { where: 'expires_at IS NOT NULL' })
@Index('messages_by_age', ['created_at'])
export class MessageEntity {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text') project_id: string;
  @Column('text') body_hash: string;
  @Column('text') mailbox: string;
  @Column('text', { nullable: true }) source_agent: string | null;
  @Column('text', { nullable: true }) source_mailbox: string | null;
  @Column('text') target_agent: string;
  @Column('text') correlation_id: string;
  @timeColumn({ nullable: true, comment: 'Null without a time to live, and from its end on.' })
  expires_at: string | null;
  @timeColumn({ nullable: true }) expired_at: string | null;
  @timeColumn() created_at: string;
}
