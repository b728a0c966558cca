import { invalidTransition } from '../../shared/domain-error.js';
import type { AgentRow, Liveness } from './agent.js';

/** What the machine decides about. */
export type Standing = Pick<AgentRow, 'liveness' | 'draining'>;

interface Move {
  readonly from: readonly Liveness[];
  readonly to: Partial<Standing>;
}

const ANY: readonly Liveness[] = ['active', 'suspect', 'offline'];

/** Every command that can meet an agent: where it may meet it, and what it changes. Drain and liveness are independent. */
export const AGENT_MOVES = {
  register: { from: ANY, to: { liveness: 'active', draining: false } },
  be_seen: { from: ANY, to: { liveness: 'active' } },
  miss_one: { from: ['active'], to: { liveness: 'suspect' } },
  miss_three: { from: ['active', 'suspect'], to: { liveness: 'offline' } },
  drain: { from: ANY, to: { draining: true } },
  resume: { from: ANY, to: { draining: false } },
} as const satisfies Record<string, Move>;

export type AgentCommand = keyof typeof AGENT_MOVES;

/**
 * The agent after a command. Only its own calls make it active again: `resume` ends a drain and no more.
 * @throws DomainError INVALID_TRANSITION when the command may not meet it where it is
 */
export function moved<A extends Standing>(agent: A, command: AgentCommand): A {
  const { from, to }: Move = AGENT_MOVES[command];
  if (!from.includes(agent.liveness)) {
    throw invalidTransition('agent', agent.liveness, to.liveness ?? agent.liveness);
  }
  return { ...agent, ...to };
}
