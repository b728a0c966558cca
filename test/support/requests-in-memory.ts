/** Agents are numbers here. */
interface Ask {
  readonly kind: 'ask';
  readonly by: number;
  readonly target: number;
  /** null: the server makes one. */
  readonly id: string | null;
  readonly n: number;
}

export interface Reply {
  /** null: the server makes one. */
  readonly id: string | null;
  readonly n: number;
}

export type RequestCommand =
  | Ask
  | { readonly kind: 'answer'; readonly by: number | 'target'; readonly about: number; readonly reply: Reply }
  /** Its deadline comes; what its target answers in the next moment is late, whether or not it has been ended. */
  | { readonly kind: 'expire'; readonly about: number; readonly late: Reply | null };

export interface Asked {
  readonly id: string;
  readonly source: number;
  readonly target: number;
  readonly n: number;
  status: 'pending' | 'answered' | 'timed_out';
  response: Reply | null;
}

/** Requests between three agents, by the rules as clients read them. */
export class RequestsInMemory {
  readonly asked: Asked[] = [];
  readonly events: string[] = [];
  /** Of each agent. */
  readonly mailboxes: readonly string[][] = [[], [], []];

  /** Which one a command is about. */
  at(about: number): Asked | undefined {
    return this.asked[about % Math.max(this.asked.length, 1)];
  }

  /** @returns status and what it says */
  ask({ by, target, id, n }: Ask): string {
    const stored = this.asked.find((one) => one.id === id);
    if (stored !== undefined)
      return stored.target === target && stored.n === n ? `200 ${stored.status}` : '409 CONFLICT';
    const asked = {
      id: id ?? `made ${this.asked.length}`,
      source: by,
      target,
      n,
      status: 'pending' as const,
    };
    this.asked.push({ ...asked, response: null });
    this.tell('request.created', asked.id, target);
    return '202 pending';
  }

  answer(asked: Asked, by: number, reply: Reply): string {
    if (by !== asked.target) return '403 FORBIDDEN';
    const { status, response } = asked;
    const isRepeat = response?.n === reply.n && (reply.id === null || reply.id === response.id);
    if (status !== 'pending') return isRepeat ? '200 success' : '409 INVALID_TRANSITION';
    asked.status = 'answered';
    asked.response = reply;
    this.tell('request.completed', asked.id, asked.source);
    return '200 success';
  }

  expire(asked: Asked): void {
    if (asked.status !== 'pending') return;
    asked.status = 'timed_out';
    this.tell('request.timed_out', asked.id, asked.source);
  }

  private tell(type: string, id: string, to: number): void {
    const isFirst = type === 'request.created';
    this.events.push(`${type} ${id} ${isFirst ? 1 : 2}`);
    this.mailboxes[to]?.push(`${type} ${id}`);
  }
}
