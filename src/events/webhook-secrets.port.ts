/** An agent, by its own project. */
export interface Signer {
  readonly id: string;
  readonly projectId: string;
}

/** What deliveries need of agents, which stand to their right. Implemented there. */
export abstract class WebhookSecrets {
  /**
   * The present `whsec_…` of each of these agents; those that are not registered are left out. Keys:
   * `rowKey(projectId, id)`.
   */
  abstract find(signers: readonly Signer[]): Promise<ReadonlyMap<string, string>>;
}
