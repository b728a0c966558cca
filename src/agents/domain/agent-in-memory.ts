import type { AgentStatus, Liveness } from './agent.js';

/** Which session a call says it is of. */
type Session = 'unnamed' | 'present' | 'older';

export type AgentCommand =
  | { readonly kind: 'register'; readonly capacity: number; readonly keeps: 'all' | 'oldest' | 'nothing' }
  | { readonly kind: 'beat'; readonly session: Session }
  | { readonly kind: 'claim'; readonly session: Session; readonly max: number }
  | { readonly kind: 'resize'; readonly capacity: number }
  | { readonly kind: 'fall_silent'; readonly until: 'suspect' | 'offline' }
  | { readonly kind: 'post' }
  | { readonly kind: 'finish' | 'drain' | 'resume' | 'deregister' };

/** `created` and `ok`, or the code of a refusal. */
type Answer = 'created' | 'ok' | 'NOT_FOUND' | 'STALE_SESSION';

/** One agent in memory, and the tasks of its type, by the rules as clients read them. */
export class AgentInMemory {
  isRegistered = false;
  liveness: Liveness = 'offline';
  isDraining = false;
  capacity = 0;
  epoch = 0;
  /** Its tasks, oldest first, by what became of them. */
  readonly tasks: ('queued' | 'assigned' | 'completed')[] = [];
  /** Each with the statuses before and after it. */
  readonly events: (readonly [type: string, before: string | null, after: string])[] = [];

  give(command: AgentCommand): Answer {
    if (command.kind === 'post') this.tasks.push('queued');
    else if (command.kind === 'register') return this.register(command.capacity, command.keeps);
    else if (command.kind === 'finish' && this.held.length === 0) return 'ok';
    else if (!this.isRegistered) return 'NOT_FOUND';
    else if ('session' in command && this.namesOlder(command.session)) return 'STALE_SESSION';
    else this.follow(command);
    return 'ok';
  }

  /** Which tasks it holds. */
  get held(): number[] {
    return this.tasks.flatMap((status, index) => (status === 'assigned' ? index : []));
  }

  /** Which of its tasks a registration would keep. */
  kept(keeps: 'all' | 'oldest' | 'nothing'): number[] {
    return this.held.slice(0, { all: undefined, oldest: 1, nothing: 0 }[keeps]);
  }

  get status(): AgentStatus {
    const isBusy = this.standing === 'active' && this.held.length >= this.capacity;
    return isBusy ? 'busy' : this.standing;
  }

  private get standing(): Liveness | 'draining' {
    return this.isDraining ? 'draining' : this.liveness;
  }

  /** The first session has no older one to name. */
  private namesOlder(session: Session): boolean {
    return session === 'older' && this.epoch > 1;
  }

  private register(capacity: number, keeps: 'all' | 'oldest' | 'nothing'): Answer {
    const isNew = !this.isRegistered;
    const before = this.standing;
    const kept = isNew ? [] : this.kept(keeps);
    this.letGo(this.held.filter((task) => !kept.includes(task)));
    this.isRegistered = true;
    this.capacity = capacity;
    // A former life's sessions are over: each of them wrote an event at least.
    this.epoch = isNew ? this.events.length + 1 : this.epoch + 1;
    if (isNew) this.events.push(['agent.registered', null, 'active']);
    else this.events.push(['agent.updated', before, 'active']);
    this.move({ liveness: 'active', isDraining: false }, isNew);
    return isNew ? 'created' : 'ok';
  }

  private follow(command: Exclude<AgentCommand, { kind: 'register' | 'post' }>): void {
    switch (command.kind) {
      case 'beat':
        return this.move({ liveness: 'active' });
      case 'claim':
        this.move({ liveness: 'active' });
        return this.claim(command.max);
      case 'finish':
        return this.finish();
      case 'resize':
        return this.resize(command.capacity);
      case 'fall_silent':
        if (command.until === 'offline' || this.liveness === 'active') this.move({ liveness: command.until });
        return;
      case 'drain':
        return this.move({ isDraining: true });
      case 'resume':
        return this.move({ isDraining: false });
      case 'deregister':
        return this.deregister();
    }
  }

  private claim(max: number): void {
    const room = this.isDraining ? 0 : Math.max(this.capacity - this.held.length, 0);
    const waiting = this.tasks.flatMap((status, index) => (status === 'queued' ? index : []));
    for (const task of waiting.slice(0, Math.min(max, room))) this.tasks[task] = 'assigned';
  }

  private finish(): void {
    const [oldest] = this.held;
    if (oldest !== undefined) this.tasks[oldest] = 'completed';
    this.move({ liveness: 'active' });
  }

  private resize(capacity: number): void {
    if (capacity !== this.capacity) this.events.push(['agent.updated', this.standing, this.standing]);
    this.capacity = capacity;
  }

  private deregister(): void {
    this.letGo(this.held);
    this.events.push(['agent.deregistered', this.standing, 'offline']);
    this.isRegistered = false;
    this.epoch = 0;
  }

  private letGo(tasks: readonly number[]): void {
    for (const task of tasks) this.tasks[task] = 'queued';
  }

  private move({ liveness = this.liveness, isDraining = this.isDraining }, isTold = false): void {
    const before = this.standing;
    this.liveness = liveness;
    this.isDraining = isDraining;
    if (!isTold && this.standing !== before)
      this.events.push(['agent.status_changed', before, this.standing]);
  }
}

const SESSIONS: readonly Session[] = ['unnamed', 'present', 'older'];
const CAPACITIES = [1, 2, 3] as const;
const often = (times: number, ...commands: AgentCommand[]): AgentCommand[] =>
  Array.from({ length: times }, () => commands).flat();

/** To draw from; what is frequent in an agent's life is in it more often. */
export const AGENT_COMMANDS: readonly AgentCommand[] = [
  ...CAPACITIES.flatMap((capacity) =>
    (['all', 'oldest', 'nothing'] as const).map((keeps): AgentCommand => ({
      kind: 'register',
      capacity,
      keeps,
    })),
  ),
  ...CAPACITIES.map((capacity): AgentCommand => ({ kind: 'resize', capacity })),
  ...SESSIONS.flatMap((session) => often(3, { kind: 'beat', session })),
  ...SESSIONS.flatMap((session) =>
    [1, 1, 3, 3].map((max): AgentCommand => ({ kind: 'claim', session, max })),
  ),
  ...often(8, { kind: 'post' }, { kind: 'finish' }),
  ...often(3, { kind: 'drain' }, { kind: 'resume' }),
  ...often(2, { kind: 'fall_silent', until: 'suspect' }, { kind: 'fall_silent', until: 'offline' }),
  ...often(2, { kind: 'deregister' }),
];
