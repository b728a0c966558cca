import { Injectable } from '@nestjs/common';
import type { Caller } from '../auth/index.js';
import { bodyHash } from '../platform/body-hash.js';
import { Batcher } from '../platform/database/batcher.js';
import { newId } from '../platform/new-id.js';
import { Addressees } from './addressees.port.js';
import { type AgentResponse, assertCallback, type NewRequest } from './domain/request.js';
import type { RequestKey } from './persistence/request-rows.js';
import type { Posting } from './posting.js';
import { RequestCommands, type RequestResult } from './request-commands.js';
import { mailboxOf, Speakers } from './speakers.js';

/** A request as it was posted. */
export interface PostedRequest extends Pick<NewRequest, 'type' | 'target' | 'data' | 'timeout'> {
  readonly id?: string;
  readonly source?: string | null;
  readonly correlation_id?: string | null;
  readonly callback_url?: string | null;
}

/** A response as it was posted. */
export type PostedResponse = Omit<AgentResponse, 'id' | 'request_id'> & { readonly id?: string };

/** One agent asks another: changes of requests, each decided in a batch, and answered when it is committed. */
@Injectable()
export class RequestsService {
  constructor(
    private readonly batcher: Batcher,
    private readonly commands: RequestCommands,
    private readonly addressees: Addressees,
    private readonly speakers: Speakers,
  ) {}

  /**
   * @throws DomainError VALIDATION_FAILED for a callback_url that cannot be served · FORBIDDEN for somebody else's name as the
   * source, NOT_FOUND for nobody's · CONFLICT when the id is another request's · AGENT_UNAVAILABLE when the target is away
   */
  async create(caller: Caller, posted: PostedRequest, posting: Posting): Promise<RequestResult> {
    const { projectId, bytes } = posting;
    const id = posted.id ?? newId();
    const callbackUrl = posted.callback_url ?? null;
    assertCallback(callbackUrl, id, posted.source ?? caller.agentId);
    const speaker = await this.speakers.of(caller, projectId, posted.source);
    const reach = await this.addressees.reach(projectId, posted.target);
    const request = {
      id,
      project_id: projectId,
      // Nobody can name a request before it has its id: who chose none is never compared.
      body_hash: posted.id === undefined ? '' : bodyHash(posted),
      type: posted.type,
      source: speaker.agentId,
      source_mailbox: speaker.mailbox,
      target: posted.target,
      correlation_id: posted.correlation_id ?? posting.correlationId ?? id,
      data: posted.data,
      timeout: posted.timeout,
      callback_url: callbackUrl,
    };
    const command = { kind: 'create' as const, request, chosenId: posted.id !== undefined, reach };
    return this.batcher.submit(this.commands, command, bytes);
  }

  /**
   * The one response to a request, as it is stored.
   * @throws DomainError NOT_FOUND · FORBIDDEN for all but the target · INVALID_TRANSITION for a second response, or a late one
   */
  async respond(
    caller: Caller,
    key: RequestKey,
    { id, status, data, errors }: PostedResponse,
    bytes: number,
  ): Promise<AgentResponse> {
    const response = { id: id ?? newId(), request_id: key.id, status, data, errors };
    const by = mailboxOf(caller);
    const command = { kind: 'answer' as const, key, by, response, chosenId: id !== undefined };
    const { request } = await this.batcher.submit(this.commands, command, bytes);
    return request.response ?? response;
  }
}
