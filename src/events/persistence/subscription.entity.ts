import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { bigintColumn, timeColumn } from '../../platform/database/columns.js';

@Entity('subscriptions')
@Index('subscriptions_of_agent', { synchronize: false })
@Index('subscriptions_listed', { synchronize: false })
@Index('subscriptions_of_webhooks', ['created_at'], {
  where: 'webhook_url IS NOT NULL AND disabled_at IS NULL',
})
export class SubscriptionEntity {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text', { comment: 'Whose events it tells; * for those of all projects.' })
  project_id: string;
  @Column('text') agent_id: string;
  @Column('text') agent_project: string;
  @Column('text', { array: true }) topics: string[];
  @Column('json') filters: unknown;
  @Column('text', { nullable: true }) webhook_url: string | null;
  @bigintColumn({ comment: 'The end of the log when it was made.' }) from_pos: number;
  @timeColumn({
    nullable: true,
    comment: 'Nothing is sent to its webhook any more, for the reason beside it.',
  })
  disabled_at: string | null;
  @Column('text', { nullable: true }) disabled_reason: string | null;
  @timeColumn() created_at: string;
}
