import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { canonicalTopic, topicPattern } from './domain/topic-pattern.js';
import { TopicTrie } from './topic-trie.js';

/** The rule as it is written, segment by segment. */
function matches(pattern: readonly string[], topic: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return topic.length === 0;
  if (first === '#') return true;
  const [segment, ...more] = topic;
  return segment !== undefined && (first === '*' || first === segment) && matches(rest, more);
}

const naive = (pattern: string, topic: string): boolean =>
  matches(canonicalTopic(pattern).split('.'), canonicalTopic(topic).split('.'));

// Few words, so that much matches; some that a trie in objects would trip over.
const word = fc.constantFrom('a', 'b', 'system', 'alert', 'alerts', '__proto__', 'constructor');
const topic = fc.array(word, { minLength: 1, maxLength: 5 }).map((words) => words.join('.'));
const pattern = fc
  .tuple(fc.array(fc.oneof(word, fc.constant('*')), { maxLength: 4 }), fc.boolean())
  .map(([words, open]) => [...words, ...(open || words.length === 0 ? ['#'] : [])].join('.'));

/** Adds (true) or removes (false) a pattern of one of three values. */
const change = fc.tuple(fc.boolean(), pattern, fc.constantFrom('x', 'y', 'z'));

describe('the topic trie', () => {
  it('matches what the naive matcher matches, by topic or by type, while patterns come and go', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), topic, topic, (changes, name, type) => {
        const trie = new TopicTrie<string>();
        const held = new Set<string>();
        for (const [add, text, value] of changes) {
          const one = topicPattern(text, '');
          if (add) trie.add(one, value);
          else trie.remove(one, value);
          held[add ? 'add' : 'delete'](`${one} ${value}`);
          const expected = [...held]
            .map((entry) => entry.split(' '))
            .filter(([p = '']) => naive(p, name) || naive(p, type))
            .map(([, v]) => v);
          // Asked each time, as answers are remembered.
          expect(trie.match(name, type)).toEqual(new Set(expected));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('takes # for the rest, also for none of it', () => {
    const trie = new TopicTrie<string>();
    trie.add('task.#', 'x');
    for (const name of ['task', 'task.a', 'task.a.b.c']) expect([...trie.match(name, '')]).toEqual(['x']);
    expect([...trie.match('tasks', '')]).toEqual([]);
  });

  it('gives a value once, however many of its patterns match', () => {
    const trie = new TopicTrie<string>();
    for (const text of ['#', 'a.*', 'a.b']) trie.add(text, 'x');
    expect([...trie.match('a.b', 'a.b')]).toEqual(['x']);
  });

  it('forgets old answers when there are very many topics', () => {
    const trie = new TopicTrie<string>();
    trie.add('a.*', 'x');
    for (let i = 0; i < 20_500; i += 1) trie.match(`a.${i}`, 'b');
    expect(trie.match('a.0', 'b').size).toBe(1);
  });
});
