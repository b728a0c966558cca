import type { LoggedEvent } from '../shared/domain-event.js';
import type { TopicSelection } from './domain/selection.js';
import { selectionOf } from './domain/subscription.js';
import type { Envelopes } from './envelope.js';
import type { WebhookRow } from './persistence/fan-out-rows.js';
import { isFor } from './selection-matcher.js';
import { TopicTrie } from './topic-trie.js';

interface Entry {
  readonly webhook: WebhookRow;
  readonly selection: TopicSelection;
}

/** All stored subscriptions that have a webhook, as they were when `mark` was read. */
export class Webhooks {
  private readonly topics = new TopicTrie<Entry>();

  constructor(
    rows: readonly WebhookRow[],
    readonly mark: string,
    private readonly envelopes: Envelopes,
  ) {
    for (const webhook of rows) {
      const entry = { webhook, selection: selectionOf(webhook) };
      for (const pattern of new Set(entry.selection.patterns)) this.topics.add(pattern, entry);
    }
  }

  /** Those that want the event. What is private goes to nobody's webhook. */
  wanting(event: LoggedEvent): WebhookRow[] {
    if (event.isPrivate === true) return [];
    return [...this.topics.match(event.topic, event.type)]
      .filter(({ webhook, selection }) => {
        const isNew = event.pos > webhook.from_pos;
        return isNew && isFor(selection, this.envelopes.of(event));
      })
      .map(({ webhook }) => webhook);
  }
}
