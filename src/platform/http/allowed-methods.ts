/** Which methods a path has, to tell 405 from 404: Fastify answers 404 for both. */
export class AllowedMethods {
  private readonly routes = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();

  /** Notes a route, its path in Fastify's words: `/api/v1/tasks/:id`. */
  add(path: string, methods: readonly string[]): void {
    const known = this.routes.get(path) ?? { pattern: patternOf(path), methods: new Set<string>() };
    for (const method of methods) known.methods.add(method);
    this.routes.set(path, known);
  }

  /**
   * The methods that the path of a URL has; empty if there is no such path. A path that is written out counts for itself:
   * `/agents/register` has POST, though an agent `register` could be read there, too.
   */
  of(url: string): string[] {
    const path = url.split('?', 1)[0] ?? '';
    const literal = this.routes.get(path);
    const found = (literal === undefined ? [...this.routes.values()] : [literal]).filter(({ pattern }) =>
      pattern.test(path),
    );
    return [...new Set(found.flatMap(({ methods }) => [...methods]))].toSorted();
  }
}

function patternOf(path: string): RegExp {
  const escaped = path.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll(/:\w+/g, '[^/]+').replaceAll('*', '.*')}$`);
}
