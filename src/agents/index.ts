export { AgentAccess } from './agent-access.js';
export { AgentDirectory, type AgentKey } from './agent-directory.js';
export { AgentPresence } from './agent-presence.js';
export { AgentsModule } from './agents.module.js';
export type { AgentRow } from './domain/agent.js';
export { assertSession } from './domain/session.js';
export { HeldWork, type Watch } from './held-work.port.js';
export { lockAgents } from './persistence/agent-rows.js';
