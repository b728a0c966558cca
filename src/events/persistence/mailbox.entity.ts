import { Entity, PrimaryColumn } from 'typeorm';
import { bigintColumn } from '../../platform/database/columns.js';

@Entity('mailboxes', {
  comment: 'One per agent that was ever registered: it stays when the agent leaves.',
})
export class MailboxEntity {
  @PrimaryColumn('text') agent_id: string;
  @PrimaryColumn('text') project_id: string;
  @bigintColumn({ default: 0 }) acked_pos: number;
}
