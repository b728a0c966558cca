/** Writes a client's history; see recorder.mjs. */
export class Recorder {
  constructor(folder: string, client: string);
  sent(what: string, facts?: object): number;
  answered(call: number, status: number, facts?: object): void;
  note(kind: string, facts: object): void;
}
