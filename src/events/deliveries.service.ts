import { Injectable } from '@nestjs/common';
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

/** The ledger of what is sent to URLs that clients gave. */
@Injectable()
export class DeliveriesService {
  constructor(
    private readonly database: Database,
    private readonly transactor: Transactor,
    private readonly sweep: DeliverySweep,
  ) {}

  /** @param projectId `*`: of all projects */
  async list(
    projectId: string,
    filter: DeliveryFilter,
    limit: number,
    cursor: string | undefined,
  ): Promise<Page<Delivery>> {
    const { values, ...sql } = listDeliveries(projectId, filter, decodeCursor(cursor), limit + 1);
    const rows = await this.database.query<Delivery>(sql, values);
    const keyOf = ({ created_at: createdAt, id }: Delivery) => ({ createdAt, id });
    return pageOf(rows, limit, keyOf, (row) => row);
  }

  /** @param projectId `*`: in any project @throws DomainError NOT_FOUND */
  async get(projectId: string, id: string): Promise<Delivery> {
    const [found] = await this.database.query<Delivery>(FIND_DELIVERY, [id, projectId]);
    if (found === undefined) throw notFound('delivery', id);
    return found;
  }

  /**
   * Begins anew with one that failed.
   * @throws DomainError NOT_FOUND; INVALID_TRANSITION when it has not failed
   */
  async retry(projectId: string, id: string): Promise<Delivery> {
    const stored = await this.get(projectId, id);
    return this.transactor.run(async (tx) => {
      const [delivery] = await tx.query<Delivery>(REDRIVE, [id, stored.project_id]);
      if (delivery === undefined) throw invalidTransition('delivery', stored.status, 'pending');
      tx.afterCommit(() => this.sweep.announce(id));
      return delivery;
    });
  }
}
