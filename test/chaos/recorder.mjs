// Writes a client's history, a line of JSON for each thing it did or was told, as it happens: what a process wrote before
// `kill -9` stays. history.ts says what the lines mean. Plain JavaScript, because the killed processes are.
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export class Recorder {
  #file;
  #client;
  #calls = 0;

  constructor(folder, client) {
    this.#file = openSync(join(folder, `${client}.jsonl`), 'a');
    this.#client = client;
  }

  /** A request leaves. @returns the number that its answer is recorded under */
  sent(what, facts = {}) {
    this.#calls += 1;
    this.#write({ kind: 'sent', call: this.#calls, what, ...facts });
    return this.#calls;
  }

  /** It was answered. A request without an answer is one whose effect nobody knows. */
  answered(call, status, facts = {}) {
    this.#write({ kind: 'answered', call, status, ...facts });
  }

  /** Anything else: what a socket was told, what the driver did. */
  note(kind, facts) {
    this.#write({ kind, ...facts });
  }

  #write(line) {
    writeSync(this.#file, `${JSON.stringify({ at: Date.now(), client: this.#client, ...line })}\n`);
  }
}
