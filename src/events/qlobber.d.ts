/** What of qlobber is used; the package brings no types. */
declare module 'qlobber' {
  class Qlobber<T> {
    constructor(options?: { max_wildcard_somes?: number });
    add(topic: string, value: T): this;
    remove(topic: string, value?: T): this;
    match(topic: string): T[];
  }
  const qlobber: { readonly Qlobber: typeof Qlobber };
  export default qlobber;
}
