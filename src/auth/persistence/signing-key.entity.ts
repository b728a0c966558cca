import { Column, Entity, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../../platform/database/columns.js';

@Entity('signing_keys')
export class SigningKeyEntity {
  @PrimaryColumn('text') kid: string;
  @Column('text') private_pem: string;
  @timeColumn({ default: () => 'clock_timestamp()' }) created_at: string;
}
