/** What of qlobber is used; the package brings no types. */
declare module 'qlobber' {
  class QlobberDedup<T> {
    constructor(options?: { max_wildcard_somes?: number });
    add(topic: string, value: T): this;
    remove(topic: string, value: T): this;
    match(topic: string): Set<T>;
  }
  const qlobber: { readonly QlobberDedup: typeof QlobberDedup };
  export default qlobber;
}
