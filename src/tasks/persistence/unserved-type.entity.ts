import { Column, Entity, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';

@Entity('unserved_types', {
  comment: 'Types with claimable tasks and no live agent: one row per episode, so that each is told once.',
})
export class UnservedTypeEntity {
  @PrimaryColumn('text') project_id: string;
  @PrimaryColumn('text') agent_type: string;
  @timeColumn() since: string;
  @Column('boolean', { default: false }) alerted: boolean;
}
