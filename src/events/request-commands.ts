import { Injectable } from '@nestjs/common';
import { bodyHash } from '../platform/body-hash.js';
import type { Batch, BatchHandler, LockMode, Outcome } from '../platform/database/batch.js';
import type { Row, Statement } from '../platform/database/statement.js';
import { DomainError, notFound } from '../shared/domain-error.js';
import { rowKey } from '../shared/ids.js';
import type { Reach } from './addressees.port.js';
import {
  type AgentRequest,
  type AgentResponse,
  createRequest,
  decideRequest,
  type NewRequest,
} from './domain/request.js';
import {
  existingRequests,
  insertRequests,
  lockRequests,
  type RequestKey,
} from './persistence/request-rows.js';
import { RequestEnds } from './request-ends.js';
import { recordEnd, requestCreated } from './request-events.js';

interface CreateCommand {
  readonly kind: 'create';
  readonly request: Omit<NewRequest, 'mailbox'>;
  /** The client chose the id, so a request of that id may exist already. */
  readonly chosenId: boolean;
  readonly reach: Reach;
}

interface AnswerCommand {
  readonly kind: 'answer';
  readonly key: RequestKey;
  /** The mailbox of the agent that answers. */
  readonly by: string | null;
  readonly response: AgentResponse;
  /** The target chose the response's id, so it is part of what it says. */
  readonly chosenId: boolean;
}

export interface RequestResult {
  readonly request: AgentRequest;
  /** false: it was so already. */
  readonly changed: boolean;
}

type Command = CreateCommand | AnswerCommand;

/** The batch's way with requests. */
@Injectable()
export class RequestCommands implements BatchHandler<Command, RequestResult> {
  readonly name = 'requests';
  readonly order = 50;
  readonly effects = {
    nameOf: ({ kind }: Command): string => kind,
    isEffect: ({ changed }: RequestResult): boolean => changed,
  };

  constructor(private readonly ends: RequestEnds) {}

  load(commands: readonly Command[], mode: LockMode): Statement[] {
    const keys = [...new Map(commands.flatMap(rowsOf).map((key) => [nameOf(key), key])).values()];
    return [lockRequests(keys, mode), existingRequests(keys)];
  }

  decide(
    commands: readonly Command[],
    loaded: readonly (readonly Row[])[],
    batch: Batch,
  ): Outcome<RequestResult>[] {
    // The rows' shapes are the statements' above.
    const [locked, existing] = loaded as unknown as [AgentRequest[], { id: string; project_id: string }[]];
    const before = new Map(locked.map((request) => [rowKey(request.project_id, request.id), request]));
    const exists = new Set(existing.map((row) => rowKey(row.project_id, row.id)));
    const requests = new Map(before);

    const outcomes = commands.map((command): Outcome<RequestResult> => {
      const name = nameOf(keyOf(command));
      const stored = requests.get(name);
      const isBusy = stored === undefined && exists.has(name);
      // What is made in this batch ends in another: of a row one statement writes the beginning, and one the end.
      const isNew = stored !== undefined && !before.has(name);
      if (isBusy || (isNew && command.kind === 'answer')) return { busy: true };
      try {
        const request =
          command.kind === 'create' ? create(command, stored, batch) : answer(command, stored, batch);
        requests.set(name, request);
        return { done: { request, changed: request !== stored } };
      } catch (error) {
        return { refused: error };
      }
    });
    this.write(before, requests, batch);
    return outcomes;
  }

  private write(
    before: ReadonlyMap<string, AgentRequest>,
    after: ReadonlyMap<string, AgentRequest>,
    batch: Batch,
  ): void {
    const made = [...after].flatMap(([name, request]) => (before.has(name) ? [] : [request]));
    const ended = [...before].flatMap(([name, request]) => {
      const now = after.get(name);
      return now === undefined || now === request ? [] : [now];
    });
    if (made.length > 0) batch.write(insertRequests(made));
    if (ended.length > 0) this.ends.write(batch, ended);
  }
}

function create(command: CreateCommand, stored: AgentRequest | undefined, batch: Batch): AgentRequest {
  const { request, reach } = command;
  if (stored !== undefined) {
    if (stored.body_hash === request.body_hash) return stored;
    const problem = `There is another request '${request.id}' already.`;
    throw new DomainError('CONFLICT', problem, { request_id: request.id });
  }
  if ('absence' in reach) {
    const problem = `Agent '${request.target}' is not registered here, or offline; ask again when it is there, or send it a message, which waits.`;
    throw new DomainError('AGENT_UNAVAILABLE', problem, { ...reach.absence });
  }
  const created = createRequest({ ...request, mailbox: reach.mailbox }, batch.now);
  batch.record(requestCreated(created));
  return created;
}

function answer(command: AnswerCommand, stored: AgentRequest | undefined, batch: Batch): AgentRequest {
  const { key, by, response } = command;
  if (stored === undefined) throw notFound('request', key.id);
  const isRepeat = stored.response !== null && isSame(stored.response, command);
  const answered = decideRequest(stored, { kind: 'answer', by, response, isRepeat }, batch.now);
  if (answered !== stored) recordEnd(batch, answered);
  return answered;
}

function isSame(stored: AgentResponse, { response, chosenId }: AnswerCommand): boolean {
  return bodyHash(stored) === bodyHash(chosenId ? response : { ...response, id: stored.id });
}

function keyOf(command: Command): RequestKey {
  if (command.kind === 'answer') return command.key;
  return { id: command.request.id, projectId: command.request.project_id };
}

/** Nobody has an id that was made here. */
function rowsOf(command: Command): RequestKey[] {
  return command.kind === 'create' && !command.chosenId ? [] : [keyOf(command)];
}

const nameOf = ({ id, projectId }: RequestKey): string => rowKey(projectId, id);
