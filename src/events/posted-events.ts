import { Injectable } from '@nestjs/common';
import { Database } from '../platform/database/database.js';
import { JointRead } from '../platform/database/joint-read.js';
import { DomainError } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import { type Envelope, Envelopes } from './envelope.js';
import { type EventRow, POSTED, toEvent } from './persistence/event-rows.js';

/** Where something is that a client put into the log: it has the id of its event. */
export interface PostedKey {
  readonly id: string;
  readonly projectId: string;
}

/** What clients put into the log themselves, as the log has it: only there it has a cursor. */
@Injectable()
export class PostedEvents {
  private readonly rows: JointRead<PostedKey, EventRow>;

  constructor(
    private readonly database: Database,
    private readonly envelopes: Envelopes,
  ) {
    this.rows = new JointRead(nameOf, (keys) => this.readAll(keys));
  }

  /** @throws DomainError CONFLICT when the log does not reach back so far any more */
  async envelope(key: PostedKey): Promise<Envelope> {
    const row = await this.rows.get(key);
    if (row !== undefined) return this.envelopes.of(toEvent(row));
    const problem = `'${key.id}' was posted once, so long ago that the log does not hold it any more; use a new id.`;
    throw new DomainError('CONFLICT', problem, { id: key.id });
  }

  private async readAll(keys: readonly PostedKey[]): Promise<ReadonlyMap<string, EventRow>> {
    const values = [keys.map((key) => key.id), keys.map((key) => key.projectId)];
    const rows = await this.database.query<EventRow>(POSTED, values);
    return new Map(rows.map((row) => [rowKey(row.project_id, row.id), row]));
  }
}

const nameOf = ({ id, projectId }: PostedKey): string => rowKey(projectId, id);
