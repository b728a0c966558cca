import { validationFailed } from '../../shared/domain-error.js';

const MAX_SEGMENTS = 8;

/** Up to eight segments, `#` being one. */
export const TOPIC_PATTERN =
  /^(#|(\*|[A-Za-z0-9_-]+)(\.(\*|[A-Za-z0-9_-]+)){0,6}(\.(#|\*|[A-Za-z0-9_-]+))?)$/;

/** One topic, as an event has it: up to eight segments, no wildcards. */
export const TOPIC = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){0,7}$/;

/** The seed says `system.alert` in one place and `system.alerts` in another: they are one. */
export function canonicalTopic(topic: string): string {
  return topic.replace(/^system\.alerts(?=\.|$)/, 'system.alert');
}

/**
 * A pattern as a subscription may have it: segments separated by dots, `*` stands for one, `#` for the rest (also for
 * none) and only at the end; eight segments at most.
 * @throws DomainError VALIDATION_FAILED that names the place
 */
export function topicPattern(text: string, path: string): string {
  if (!TOPIC_PATTERN.test(text)) {
    const message = `is not a topic pattern: up to ${MAX_SEGMENTS} segments of letters, digits, _ or -, '*' for one, '#' for the rest at the end`;
    throw validationFailed([{ path, message }]);
  }
  return canonicalTopic(text);
}
