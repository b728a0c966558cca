import qlobber from 'qlobber';
import { canonicalTopic } from './domain/topic-pattern.js';

const CACHED_TOPICS = 10_000;

/** Values by topic pattern. What a topic matches is remembered until a pattern comes or goes. */
export class TopicTrie<T> {
  private readonly trie = new qlobber.QlobberDedup<T>({ max_wildcard_somes: 1 });
  private readonly matches = new Map<string, ReadonlySet<T>>();

  add(pattern: string, value: T): void {
    this.trie.add(pattern, value);
    this.matches.clear();
  }

  /** Does nothing where the value is not. */
  remove(pattern: string, value: T): void {
    this.trie.remove(pattern, value);
    this.matches.clear();
  }

  /** Values whose pattern matches the topic or the event type, each once. */
  match(topic: string, type: string): ReadonlySet<T> {
    const key = `${topic} ${type}`;
    const known = this.matches.get(key);
    if (known !== undefined) return known;
    const found = new Set([
      ...this.trie.match(canonicalTopic(topic)),
      ...this.trie.match(canonicalTopic(type)),
    ]);
    if (this.matches.size >= CACHED_TOPICS) this.matches.clear();
    this.matches.set(key, found);
    return found;
  }
}
