import { Check, Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';

@Entity('clients')
@Check('clients_kind_check', `kind IN ('admin', 'client', 'agent')`)
@Index('clients_of_project', ['project_id', 'created_at'])
export class ClientEntity {
  @PrimaryColumn('text') client_id: string;
  @Column('text') project_id: string;
  @Column('text') name: string;
  @Column('text') kind: string;
  @Column('text', { nullable: true }) agent_id: string | null;
  @Column('bytea') secret_hash: Buffer;
  @Column('text', {
    default: () => '(gen_random_uuid())',
    comment: 'Another one for each secret; tokens name it.',
  })
  credential_id: string;
  @Column('text') scope: string;
  @timeColumn({ default: () => 'clock_timestamp()' }) created_at: string;
}
