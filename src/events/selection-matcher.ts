import type { LoggedEvent } from '../shared/domain-event.js';
import { ANY_PROJECT } from '../shared/ids.js';
import { passes } from './domain/event-filter.js';
import type { Selection, TopicSelection } from './domain/selection.js';
import type { Envelope, Envelopes } from './envelope.js';
import { TopicTrie } from './topic-trie.js';

/** Tells what a selection wants of the log's pages, which hold all of its project. */
export function matcherOf(selection: Selection, envelopes: Envelopes): (event: LoggedEvent) => boolean {
  if ('mailbox' in selection) return () => true;
  if ('anyOf' in selection) {
    const matchers = selection.anyOf.map((one) => matcherOf(one, envelopes));
    return (event) => matchers.some((wants) => wants(event));
  }
  const topics = new TopicTrie<true>();
  for (const pattern of selection.patterns) topics.add(pattern, true);
  return (event) => topics.match(event.topic, event.type).size > 0 && isFor(selection, envelopes.of(event));
}

/** Is the event in the selection's reach, and does it pass its filter? Its patterns are a trie's affair. */
export function isFor({ projectId, filter, correlationId }: TopicSelection, envelope: Envelope): boolean {
  const inReach = projectId === ANY_PROJECT || projectId === envelope.project_id;
  const isOfIt = correlationId === undefined || correlationId === envelope.correlation_id;
  return inReach && isOfIt && passes(filter, envelope);
}
