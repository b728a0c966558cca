import { Injectable } from '@nestjs/common';
import { type Caller, type NamedProject, projectForRead, projectForWrite } from '../auth/index.js';
import { Database } from '../platform/database/database.js';
import { Transactor } from '../platform/database/transactor.js';
import { decodeCursor, type Page, pageOf } from '../platform/http/page.js';
import { newId } from '../platform/new-id.js';
import { WakeUp } from '../platform/wake-up/wake-up.port.js';
import { DomainError, notFound, validationFailed } from '../shared/domain-error.js';
import { ANY_PROJECT, rowKey } from '../shared/ids.js';
import { isWebUrl } from '../shared/web-url.js';
import { assertFilter, type EventFilter } from './domain/event-filter.js';
import { type StoredSubscription, SUBSCRIPTIONS_PER_AGENT } from './domain/subscription.js';
import { topicPattern } from './domain/topic-pattern.js';
import { Mailboxes } from './mailboxes.service.js';
import type { MailboxKey } from './persistence/mailbox-rows.js';
import {
  COUNT_SUBSCRIPTIONS,
  deleteSubscription,
  FIND_SUBSCRIPTION,
  INSERT_SUBSCRIPTION,
  listSubscriptions,
  LOCK_SUBSCRIBER,
  type SubscriptionFilter,
  subscriptionValues,
} from './persistence/subscription-rows.js';
import { assertMaySpeakFor } from './speakers.js';

/** Told with `rowKey` of the agent whose subscriptions changed. */
export const SUBSCRIPTIONS_CHANGED = 'subscriptions';

export interface PostedSubscription {
  readonly agent_id: string;
  readonly topics: readonly string[];
  readonly filters: EventFilter;
  readonly webhook_url: string | null;
}

/** Subscriptions that are kept in Postgres: they match when the log is read, and copy nothing. */
@Injectable()
export class SubscriptionsService {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly mailboxes: Mailboxes,
    private readonly wakeUp: WakeUp,
  ) {}

  /**
   * It tells of its project's events, and one of an agent of `*` of all, unless a project is named.
   * @throws DomainError VALIDATION_FAILED; NOT_FOUND for an agent that was never registered; FORBIDDEN for somebody
   * else's; CONFLICT when the agent has as many as it may
   */
  async create(caller: Caller, named: NamedProject, posted: PostedSubscription): Promise<StoredSubscription> {
    assertPosted(posted);
    const projectId = projectForWrite(caller, named, ANY_PROJECT);
    const agent = await this.agentOf(caller, projectId, posted.agent_id);
    assertMaySpeakFor(caller, agent);
    const id = newId();
    return this.transactor.run(async (tx) => {
      const key = [agent.agentId, agent.projectId];
      await tx.query(LOCK_SUBSCRIBER, key);
      const [held] = await tx.query<{ count: number }>(COUNT_SUBSCRIPTIONS, key);
      if ((held?.count ?? 0) >= SUBSCRIPTIONS_PER_AGENT) throw tooMany(agent);
      const values = subscriptionValues({
        id,
        project_id: projectId === ANY_PROJECT ? agent.projectId : projectId,
        agent_project: agent.projectId,
        ...posted,
        created_at: tx.now,
      });
      const [made] = await tx.query<StoredSubscription>(INSERT_SUBSCRIPTION, values);
      if (made === undefined) throw new Error('the log has no beginning');
      tx.afterCommit(() => this.tell(agent));
      return made;
    });
  }

  /** An agent sees its own, others those of their project. @throws DomainError NOT_FOUND · FORBIDDEN */
  async get(caller: Caller, named: NamedProject, id: string): Promise<StoredSubscription> {
    const found = await this.find(projectForRead(caller, named), id);
    if (caller.agentId !== null) assertMaySpeakFor(caller, ownerOf(found));
    return found;
  }

  /** One page, newest first. @throws DomainError VALIDATION_FAILED for a cursor that was not made here */
  async list(
    filter: SubscriptionFilter,
    limit: number,
    cursor: string | undefined,
  ): Promise<Page<StoredSubscription>> {
    const { values, ...sql } = listSubscriptions(filter, decodeCursor(cursor), limit + 1);
    const rows = await this.database.query<StoredSubscription>(sql, values);
    return pageOf(
      rows,
      limit,
      (row) => ({ createdAt: row.created_at, id: row.id }),
      (row) => row,
    );
  }

  /** @throws DomainError NOT_FOUND · FORBIDDEN */
  async remove(caller: Caller, named: NamedProject, id: string): Promise<void> {
    const found = await this.find(projectForRead(caller, named), id);
    assertMaySpeakFor(caller, ownerOf(found));
    await this.transactor.run(async (tx) => {
      tx.write(deleteSubscription(found));
      tx.afterCommit(() => this.tell(ownerOf(found)));
    });
  }

  private async find(projectId: string, id: string): Promise<StoredSubscription> {
    const [found] = await this.database.query<StoredSubscription>(FIND_SUBSCRIPTION, [id, projectId]);
    if (found === undefined) throw notFound('subscription', id);
    return found;
  }

  /** An agent that names itself means itself, whoever else has that id. */
  private async agentOf(caller: Caller, projectId: string, agentId: string): Promise<MailboxKey> {
    if (caller.agentId === agentId) return { agentId, projectId: caller.projectId };
    return this.mailboxes.addressed(projectId, agentId);
  }

  private tell({ projectId, agentId }: MailboxKey): void {
    this.wakeUp.notify(SUBSCRIPTIONS_CHANGED, rowKey(projectId, agentId));
  }
}

const ownerOf = ({ agent_id, agent_project }: StoredSubscription): MailboxKey => ({
  agentId: agent_id,
  projectId: agent_project,
});

function assertPosted({ topics, filters, webhook_url: url }: PostedSubscription): void {
  for (const [index, topic] of topics.entries()) topicPattern(topic, `/topics/${index}`);
  assertFilter(filters, '/filters');
  if (url !== null && !isWebUrl(url))
    throw validationFailed([
      { path: '/webhook_url', message: 'must be an http or https URL without credentials' },
    ]);
}

function tooMany({ agentId }: MailboxKey): DomainError {
  const message = `Agent '${agentId}' has ${SUBSCRIPTIONS_PER_AGENT} subscriptions, and may have no more; delete one.`;
  return new DomainError('CONFLICT', message, { agent_id: agentId, limit: SUBSCRIPTIONS_PER_AGENT });
}
