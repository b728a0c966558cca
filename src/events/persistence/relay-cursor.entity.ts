import { Entity, PrimaryColumn } from 'typeorm';
import { bigintColumn } from '../../platform/database/columns.js';

@Entity('relay_cursors', {
  comment: 'Up to which position of the log each relay has told it on; who holds the row is the relay.',
})
export class RelayCursorEntity {
  @PrimaryColumn('text') name: string;
  @bigintColumn() pos: number;
}
