import { Injectable } from '@nestjs/common';
import type { Batch, BatchHandler, LockMode, Outcome } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import { notFound } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import {
  type LockedMailboxRow,
  lockMailboxes,
  type MailboxKey,
  writeAcknowledged,
} from './persistence/mailbox-rows.js';

interface AckCommand extends MailboxKey {
  /** All up to here has come. */
  readonly pos: number;
}

/** The batch's way with acknowledgements: all of a batch are one UPDATE. They write no event, and repeating one does nothing. */
@Injectable()
export class AckCommands implements BatchHandler<AckCommand, number> {
  readonly name = 'acknowledgements';
  readonly order = 50;

  load(commands: readonly AckCommand[], mode: LockMode): Statement[] {
    const keys = new Map(commands.map((one) => [keyOf(one), one]));
    return [lockMailboxes([...keys.values()], mode)];
  }

  /** Each is answered with the position that is acknowledged then: never an older one, never one past the end. */
  decide(
    commands: readonly AckCommand[],
    loaded: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<number>[] {
    // The rows' shape is lockMailboxes' column list.
    const locked = (loaded[0] ?? []) as unknown as readonly LockedMailboxRow[];
    const mailboxes = new Map(locked.map((row) => [rowKey(row.project_id, row.agent_id), row]));
    const moved = new Map<string, LockedMailboxRow>();
    const outcomes = commands.map((command): Outcome<number> => {
      const key = keyOf(command);
      const mailbox = moved.get(key) ?? mailboxes.get(key);
      if (mailbox === undefined)
        return batch.mode === 'skip' ? { busy: true } : { refused: notFound('agent', command.agentId) };
      const pos = Math.max(mailbox.acked_pos, Math.min(command.pos, mailbox.log_end));
      if (pos > mailbox.acked_pos) moved.set(key, { ...mailbox, acked_pos: pos });
      return { done: pos };
    });
    if (moved.size > 0) batch.write(writeAcknowledged([...moved.values()]));
    return outcomes;
  }
}

const keyOf = ({ projectId, agentId }: MailboxKey): string => rowKey(projectId, agentId);
