// A process that makes load, as the bench sees it, and as it sees the bench: questions and answers over IPC.
import { fork } from 'node:child_process';

export class LoadProcess {
  #child;
  #open = new Map();
  #asked = 0;

  /** @param file in this folder, run with `options`; resolves when it is ready */
  static async start(file, options) {
    const load = new LoadProcess(file, options);
    await load.ask('ready');
    return load;
  }

  constructor(file, options) {
    this.#child = fork(new URL(file, import.meta.url), [JSON.stringify(options)]);
    this.#child.on('message', ({ id, answer }) => {
      this.#open.get(id)(answer);
      this.#open.delete(id);
    });
    this.exited = new Promise((resolve) => this.#child.once('exit', resolve));
    this.failed = this.exited.then(() => {
      throw new Error(`${file} has ended; what it said is above`);
    });
    this.failed.catch(() => {});
  }

  get pid() {
    return this.#child.pid;
  }

  ask(what, body = {}) {
    const id = (this.#asked += 1);
    const answer = new Promise((resolve) => this.#open.set(id, resolve));
    this.#child.send({ id, what, body }, () => {});
    return Promise.race([answer, this.failed]);
  }

  async end() {
    this.#child.kill();
    await this.exited;
  }
}

/** In the load process: answers each question by the function of that name. What fails, a refused call too, ends it. */
export function serve(answers) {
  const all = { ready: () => {}, ...answers };
  const answerTo = async ({ id, what, body }) => process.send({ id, answer: await all[what](body) });
  process.on('message', (question) => void answerTo(question));
  // The bench was killed.
  process.on('disconnect', () => process.exit(1));
}

/** Ms of a clock that all processes of this machine share. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;
