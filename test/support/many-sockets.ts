import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

type Answer = Readonly<Record<string, unknown>>;

/** Thousands of sockets in a process of their own (many-sockets.process.mjs). */
export class ManySockets {
  private orders = 0;

  private constructor(private readonly child: ChildProcess) {}

  static async start(url: string, token: string): Promise<ManySockets> {
    const options = JSON.stringify({ url, auth: { token } });
    const child = fork(new URL('many-sockets.process.mjs', import.meta.url), [options]);
    await once(child, 'message');
    return new ManySockets(child);
  }

  /** Connects so many more, and resolves when all are let in. */
  connect(count: number): Promise<Answer> {
    return this.order('connect', { count });
  }

  /** All that are connected subscribe, or only the first ones. */
  subscribe(topics: readonly string[], count?: number): Promise<Answer> {
    return this.order('subscribe', { topics, count });
  }

  /** The first ones read nothing more. */
  freeze(count: number): Promise<Answer> {
    return this.order('freeze', { count });
  }

  /** They read again, and hear that they were cut. */
  thaw(): Promise<Answer> {
    return this.order('thaw', {});
  }

  /** How many events were heard in all, when the last one was, and how many sockets are open. */
  async counts(): Promise<{ events: number; lastAt: number; open: number; cut: number }> {
    return (await this.order('counts', {})) as { events: number; lastAt: number; open: number; cut: number };
  }

  /** What one more is refused with; undefined if it is let in. */
  async oneMore(): Promise<unknown> {
    return (await this.order('extra', {}))['refused'];
  }

  async stop(): Promise<void> {
    const gone = once(this.child, 'exit');
    this.child.disconnect();
    await gone;
  }

  private async order(order: string, more: object): Promise<Answer> {
    const id = (this.orders += 1);
    const answered = new Promise<Answer>((resolve, reject) => {
      const hear = (message: { id: number; answer?: Answer; error?: string }): void => {
        if (message.id !== id) return;
        this.child.off('message', hear);
        if (message.answer === undefined) reject(new Error(message.error));
        else resolve(message.answer);
      };
      this.child.on('message', hear);
      this.child.once('exit', () => reject(new Error('the sockets’ process has ended')));
    });
    this.child.send({ id, order, ...more });
    return answered;
  }
}
