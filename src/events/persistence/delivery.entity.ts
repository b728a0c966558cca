import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';

@Entity('deliveries')
@Index('deliveries_due', ['host', 'next_attempt_at'], { where: `status = 'pending'` })
@Index('deliveries_listed', { synchronize: false })
@Index('deliveries_of_agent', { synchronize: false })
@Index('deliveries_by_age', { synchronize: false })
@Index('deliveries_failed', { synchronize: false })
@Index('deliveries_of_request', ['request_id'], { where: 'request_id IS NOT NULL' })
@Index('deliveries_of_subscription', { synchronize: false })
export class DeliveryEntity {
  @PrimaryColumn('text') id: string;
  @PrimaryColumn('text', { comment: 'That of the request or of the subscription.' }) project_id: string;
  @Column('text') kind: string;
  @Column('text', { nullable: true }) request_id: string | null;
  @Column('text', { nullable: true }) subscription_id: string | null;
  @Column('text', { nullable: true }) event_id: string | null;
  @Column('text') webhook_id: string;
  @Column('text') url: string;
  @Column({
    type: 'text',
    collation: 'C',
    comment: 'Host and port of the URL: deliveries to one do not hold up those to another.',
  })
  host: string;
  @Column('text', { comment: 'Whose secret signs it.' }) agent_id: string;
  @Column('text') agent_project: string;
  @Column('text') body: string;
  @Column('text') status: string;
  @Column('int', { comment: 'Tries so far; it fences what comes of an older one.' }) attempt: number;
  @timeColumn({
    nullable: true,
    comment: 'While one is being tried: when another process may take it for lost.',
  })
  next_attempt_at: string | null;
  @timeColumn() give_up_at: string;
  @Column('int', { nullable: true }) last_status: number | null;
  @Column('text', { nullable: true }) last_error: string | null;
  @timeColumn() created_at: string;
  @timeColumn() updated_at: string;
  @timeColumn({ nullable: true }) delivered_at: string | null;
}
