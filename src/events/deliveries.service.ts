import { Injectable } from '@nestjs/common';
import type { Caller } from '../auth/index.js';
import { Database } from '../platform/database/database.js';
import { Transactor } from '../platform/database/transactor.js';
import { decodeCursor, type Page, pageOf } from '../platform/http/page.js';
import { invalidTransition, notFound } from '../shared/domain-error.js';
import { DeliverySweep } from './jobs/delivery.sweep.js';
import {
  type Delivery,
  type DeliveryFilter,
  FIND_DELIVERY,
  listDeliveries,
  REDRIVE,
} from './persistence/delivery-list.js';
import { assertMaySpeakFor } from './speakers.js';

/** The ledger of what is sent to URLs that clients gave. */
@Injectable()
export class DeliveriesService {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly sweep: DeliverySweep,
  ) {}

  /** An agent sees its own, others those of the project; @param projectId `*`: of all projects */
  async list(
    { agentId, projectId: agentProject }: Caller,
    projectId: string,
    posted: DeliveryFilter,
    limit: number,
    cursor: string | undefined,
  ): Promise<Page<Delivery>> {
    const filter = agentId === null ? posted : { ...posted, agent_id: agentId, agent_project: agentProject };
    const { values, ...sql } = listDeliveries(projectId, filter, decodeCursor(cursor), limit + 1);
    const rows = await this.database.query<Delivery>(sql, values);
    const keyOf = ({ created_at: createdAt, id }: Delivery) => ({ createdAt, id });
    return pageOf(rows, limit, keyOf, (row) => row);
  }

  /** @param projectId `*`: in any project @throws DomainError NOT_FOUND · FORBIDDEN for an agent, if it is another's */
  async get(caller: Caller, projectId: string, id: string): Promise<Delivery> {
    const [found] = await this.database.query<Delivery>(FIND_DELIVERY, [id, projectId]);
    if (found === undefined) throw notFound('delivery', id);
    const { agent_id: agentId, agent_project: agentProject } = found;
    if (caller.agentId !== null) assertMaySpeakFor(caller, { agentId, projectId: agentProject });
    return found;
  }

  /**
   * Begins anew with one that failed.
   * @throws DomainError NOT_FOUND · FORBIDDEN for an agent, if it is another's · INVALID_TRANSITION when it has not failed
   */
  async retry(caller: Caller, projectId: string, id: string): Promise<Delivery> {
    const stored = await this.get(caller, projectId, id);
    return this.transactor.run(async (tx) => {
      const [delivery] = await tx.query<Delivery>(REDRIVE, [id, stored.project_id]);
      if (delivery === undefined) throw invalidTransition('delivery', stored.status, 'pending');
      tx.afterCommit(() => this.sweep.announce(id));
      return delivery;
    });
  }
}
