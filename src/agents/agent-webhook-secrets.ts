import { Injectable } from '@nestjs/common';
import { type Signer, WebhookSecrets } from '../events/index.js';
import { Database } from '../platform/database/database.js';
import { rowKey } from '../shared/ids.js';

const SECRETS = {
  name: 'agents-webhook-secrets',
  text: `
    SELECT a.id, a.project_id, a.webhook_secret FROM unnest($1::text[], $2::text[]) AS k(id, project_id)
    JOIN agents a ON a.id = k.id AND a.project_id = k.project_id`,
};

/** The secrets that agents were shown with their credentials. */
@Injectable()
export class AgentWebhookSecrets extends WebhookSecrets {
  constructor(private readonly database: Database) {
    super();
  }

  async find(signers: readonly Signer[]): Promise<ReadonlyMap<string, string>> {
    const values = [signers.map(({ id }) => id), signers.map(({ projectId }) => projectId)];
    const rows = await this.database.query<{ id: string; project_id: string; webhook_secret: string }>(
      SECRETS,
      values,
    );
    return new Map(rows.map((row) => [rowKey(row.project_id, row.id), row.webhook_secret]));
  }
}
