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

function attempt(state: Standing, command: AgentCommand): Standing | unknown {
  try {
    return moved(state, command);
  } catch (error) {
    return error;
  }
}

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

  it.each(STATES.flatMap((state) => COMMANDS.map((command) => [keyOf(state), command, state] as const)))(
    'an agent that is %s meets %s: it moves as the table says, or refuses',
    (_, command, state) => {
      const { from, to } = AGENT_MOVES[command];
      const result = attempt(state, command);
      if (from.some((liveness) => liveness === state.liveness)) expect(result).toEqual({ ...state, ...to });
      else expect(result).toMatchObject({ code: 'INVALID_TRANSITION', details: { from: state.liveness } });
    },
  );

  it('lets nothing but its own calls and registrations make an agent active', () => {
    const revives = COMMANDS.filter((command) =>
      STATES.some((state) => {
        const after = attempt(state, command);
        return (
          state.liveness !== 'active' && 'liveness' in Object(after) && Object(after).liveness === 'active'
        );
      }),
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
