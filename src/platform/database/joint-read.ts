/** Keys of one statement at most. */
const AT_ONCE = 500;

interface Round<K, R> {
  readonly asked: Map<string, K>;
  readonly answer: Promise<ReadonlyMap<string, R>>;
}

/** Reads by key that are asked for in one turn of the event loop go together in one statement. */
export class JointRead<K, R> {
  private round: Round<K, R> | undefined;

  /**
   * @param nameOf tells keys apart
   * @param read the rows of some keys, under the names of their keys; keys without a row are left out
   */
  constructor(
    private readonly nameOf: (key: K) => string,
    private readonly read: (keys: readonly K[]) => Promise<ReadonlyMap<string, R>>,
  ) {}

  /** What there is under the key, at a moment after this call. */
  async get(key: K): Promise<R | undefined> {
    const name = this.nameOf(key);
    this.round ??= this.open();
    const { asked, answer } = this.round;
    asked.set(name, key);
    if (asked.size >= AT_ONCE) this.round = undefined;
    return (await answer).get(name);
  }

  private open(): Round<K, R> {
    const asked = new Map<string, K>();
    const answer = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      if (this.round?.asked === asked) this.round = undefined;
      return this.read([...asked.values()]);
    });
    return { asked, answer };
  }
}
