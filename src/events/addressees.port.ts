/** Why an agent cannot answer now; shown to clients. */
export interface Absence {
  readonly agent_id: string;
  /** Null for an agent that is not registered. */
  readonly last_seen: string | null;
  /** Seconds. */
  readonly retry_after: number;
}

/** The agent's mailbox, or why it cannot answer now. */
export type Reach = { readonly mailbox: string } | { readonly absence: Absence };

/** What requests need of agents, who stand to their right. Implemented there. */
export abstract class Addressees {
  /** The agent of that id that serves a project, the project's own before the one of `*`, if it is there to answer. */
  abstract reach(projectId: string, agentId: string): Promise<Reach>;
}
