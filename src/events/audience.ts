import type { LoggedEvent } from '../shared/domain-event.js';
import type { Selection, TopicSelection } from './domain/selection.js';
import type { Envelopes } from './envelope.js';
import { isFor } from './selection-matcher.js';
import { TopicTrie } from './topic-trie.js';

/**
 * Who gets which events. `deliver` is called in log order and must neither throw nor wait. Of several selections that want
 * an event each tells it, one right after the other.
 */
export interface Consumer {
  readonly selection: Selection;
  deliver(event: LoggedEvent): void;
}

interface Listener {
  readonly selection: TopicSelection;
  readonly consumer: Consumer;
}

/** Everybody who hears the live log, found by an event's topic and by its mailbox: who does not want it costs nothing. */
export class Audience {
  private readonly topics = new TopicTrie<Listener>();
  private readonly mailboxes = new Map<string, Set<Consumer>>();

  constructor(private readonly envelopes: Envelopes) {}

  /** @returns what takes the consumer out again */
  add(consumer: Consumer): () => void {
    const { selection } = consumer;
    if ('mailbox' in selection) return this.addReader(selection.mailbox, consumer);
    const wanted = 'anyOf' in selection ? selection.anyOf : [selection];
    const leaves = wanted.map((one) => this.addListener({ selection: one, consumer }));
    return () => leaves.forEach((leave) => leave());
  }

  tell(event: LoggedEvent): void {
    if (event.isPrivate !== true) {
      for (const { selection, consumer } of this.topics.match(event.topic, event.type)) {
        if (isFor(selection, this.envelopes.of(event))) consumer.deliver(event);
      }
    }
    if (typeof event.mailbox === 'string')
      for (const reader of this.mailboxes.get(event.mailbox) ?? []) reader.deliver(event);
  }

  private addListener(listener: Listener): () => void {
    const patterns = [...new Set(listener.selection.patterns)];
    for (const pattern of patterns) this.topics.add(pattern, listener);
    return () => {
      for (const pattern of patterns) this.topics.remove(pattern, listener);
    };
  }

  private addReader(mailbox: string, reader: Consumer): () => void {
    const readers = this.mailboxes.get(mailbox) ?? new Set();
    this.mailboxes.set(mailbox, readers.add(reader));
    return () => {
      readers.delete(reader);
      if (readers.size === 0 && this.mailboxes.get(mailbox) === readers) this.mailboxes.delete(mailbox);
    };
  }
}
