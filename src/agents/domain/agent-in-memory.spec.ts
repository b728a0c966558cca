import { deepStrictEqual as equal } from 'node:assert/strict';
import { expect, it } from '@jest/globals';
import fc from 'fast-check';
import { AGENT_COMMANDS, type AgentCommand, AgentInMemory } from './agent-in-memory.js';
import { moved, type Standing } from './agent.machine.js';
import { agentStatus } from './agent.js';
import { overdue } from './liveness.js';

const LEASE_SECONDS = 90;
const NOW = '2026-01-01T00:10:00.000Z';
/** Ends of leases that have so much to say at that moment. */
const LEASES = {
  active: '2026-01-01T00:11:30.000Z',
  suspect: '2026-01-01T00:10:30.000Z',
  offline: '2026-01-01T00:09:00.000Z',
};

/** Where the pure decisions leave an agent: that of the table and that of the clock. */
function decided(agent: Standing, command: AgentCommand): Standing {
  switch (command.kind) {
    case 'register':
    case 'drain':
    case 'resume':
      return moved(agent, command.kind);
    case 'beat':
    case 'claim':
    case 'finish':
      return moved(agent, 'be_seen');
    case 'fall_silent': {
      const missed = overdue({ ...agent, lease_until: LEASES[command.until] }, NOW, LEASE_SECONDS);
      return missed === undefined ? agent : moved(agent, missed);
    }
    case 'post':
    case 'resize':
    case 'deregister':
      return agent;
  }
}

it('stands where it does in memory, in 100,000 commands', () => {
  const statuses = new Set<string>();
  const sequences = fc.array(fc.constantFrom(...AGENT_COMMANDS), { minLength: 50, maxLength: 50 });
  fc.assert(
    fc.property(sequences, (sequence) => {
      const model = new AgentInMemory();
      let agent: Standing = { liveness: 'offline', draining: false };
      for (const command of sequence) {
        const isIdle = command.kind === 'finish' && model.held.length === 0;
        const answer = model.give(command);
        if (answer !== 'NOT_FOUND' && answer !== 'STALE_SESSION' && !isIdle) agent = decided(agent, command);
        equal(agent, { liveness: model.liveness, draining: model.isDraining });
        const status = agentStatus({ ...agent, capacity: model.capacity }, model.held.length);
        equal(status, model.status);
        statuses.add(status);
      }
    }),
    { numRuns: 2_000 },
  );
  expect([...statuses].toSorted()).toEqual(['active', 'busy', 'draining', 'offline', 'suspect']);
});
