import { Column, Entity, Index, PrimaryColumn } from 'typeorm';
import { timeColumn } from '../database/columns.js';

@Entity('idempotency_keys')
@Index('idempotency_keys_by_age', ['created_at'])
export class IdempotencyKeyEntity {
  @PrimaryColumn('bytea', {
    comment: 'Hash of client, method, path, key and effect: the key itself is stored nowhere.',
  })
  id: Buffer;
  @Column('bytea') request_hash: Buffer;
  @Column('bytea', {
    comment: 'Sealed under the key, so that a secret in it is shown to nobody but who sends the key again.',
  })
  result: Buffer;
  @timeColumn({ default: () => 'clock_timestamp()' }) created_at: string;
}
