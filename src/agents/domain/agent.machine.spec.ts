import { describe, expect, it } from '@jest/globals';
import { agentStatus, type Liveness, standingOf } from './agent.js';
import { AGENT_MOVES, type AgentCommand, moved, type Standing } from './agent.machine.js';

const LIVENESS: readonly Liveness[] = ['active', 'suspect', 'offline'];
// The table is the list of commands, so its keys are commands.
const COMMANDS = Object.keys(AGENT_MOVES) as AgentCommand[];
const STATES: Standing[] = LIVENESS.flatMap((liveness) => [
  { liveness, draining: false },
  { liveness, draining: true },
]);
const keyOf = ({ liveness, draining }: Standing): string => `${liveness}${draining ? ', draining' : ''}`;

const isAllowed = (state: Standing, command: AgentCommand): boolean =>
  AGENT_MOVES[command].from.some((liveness) => liveness === state.liveness);
const pairs = (allowed: boolean): (readonly [string, AgentCommand, Standing])[] =>
  STATES.flatMap((state) => COMMANDS.map((command) => [keyOf(state), command, state] as const)).filter(
    ([, command, state]) => isAllowed(state, command) === allowed,
  );

describe('the agent machine', () => {
  it('reaches every state from a registration', () => {
    const reached = new Map<string, Standing>();
    const open: Standing[] = [moved({ liveness: 'offline', draining: true }, 'register')];
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      if (reached.has(keyOf(state))) continue;
      reached.set(keyOf(state), state);
      for (const command of COMMANDS) {
        if (AGENT_MOVES[command].from.some((from) => from === state.liveness))
          open.push(moved(state, command));
      }
    }
    expect([...reached.keys()].toSorted()).toEqual(STATES.map(keyOf).toSorted());
  });

  it.each(pairs(true))('takes an agent that is %s and meets %s where the table says', (_, command, state) => {
    expect(moved(state, command)).toEqual({ ...state, ...AGENT_MOVES[command].to });
  });

  it.each(pairs(false))('refuses, for an agent that is %s, to %s', (_, command, state) => {
    expect(() => moved(state, command)).toThrow(
      expect.objectContaining({
        code: 'INVALID_TRANSITION',
        details: expect.objectContaining({ from: state.liveness }),
      }),
    );
  });

  it('lets nothing but its own calls and registrations make an agent active', () => {
    const revives = COMMANDS.filter((command) =>
      STATES.filter((state) => state.liveness !== 'active' && isAllowed(state, command)).some(
        (state) => moved(state, command).liveness === 'active',
      ),
    );
    expect(revives).toEqual(['register', 'be_seen']);
  });

  it('keeps a drain through heartbeats and silence, until it is resumed or registers anew', () => {
    const draining: Standing = { liveness: 'active', draining: true };
    expect(moved(moved(moved(draining, 'miss_one'), 'miss_three'), 'be_seen')).toEqual(draining);
    expect(moved(draining, 'resume').draining).toBe(false);
    expect(moved(draining, 'register').draining).toBe(false);
  });
});

describe('the status that is shown', () => {
  const agent = { liveness: 'active', draining: false, capacity: 2 } as const;

  it('is busy when an active agent holds as much as it may', () => {
    expect(agentStatus(agent, 1)).toBe('active');
    expect(agentStatus(agent, 2)).toBe('busy');
    expect(agentStatus(agent, 3)).toBe('busy');
    expect(standingOf(agent)).toBe('active');
  });

  it('puts draining before offline before suspect before busy', () => {
    expect(agentStatus({ ...agent, liveness: 'suspect' }, 2)).toBe('suspect');
    expect(agentStatus({ ...agent, liveness: 'offline' }, 2)).toBe('offline');
    expect(agentStatus({ ...agent, liveness: 'offline', draining: true }, 2)).toBe('draining');
  });
});
