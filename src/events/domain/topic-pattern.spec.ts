import { describe, expect, it } from '@jest/globals';
import { canonicalTopic, topicPattern } from './topic-pattern.js';

describe('a topic pattern', () => {
  it.each([
    '#',
    '*',
    'a',
    'task.*.completed',
    'task.code_generation.*',
    'workflow.#',
    '*.*',
    '*.#',
    'A-1.b_2',
  ])('may be %s', (text) => {
    expect(topicPattern(text, '/topics/0')).toBe(text);
  });

  it.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    '#.a',
    'a.#.b',
    'a#',
    'a*',
    '**',
    'a b',
    'a.ä',
    '1.2.3.4.5.6.7.8.9',
    'a\n',
  ])('may not be %j', (text) => {
    expect(() => topicPattern(text, '/topics/3')).toThrow(
      expect.objectContaining({
        code: 'VALIDATION_FAILED',
        details: {
          errors: [{ path: '/topics/3', message: expect.stringContaining('is not a topic pattern') }],
        },
      }),
    );
  });

  it('knows the alerts by both of their names', () => {
    expect(topicPattern('system.alerts', '')).toBe(topicPattern('system.alert', ''));
    expect(canonicalTopic('system.alerts.#')).toBe('system.alert.#');
    expect(canonicalTopic('system.alertsome')).toBe('system.alertsome');
    expect(canonicalTopic('my.system.alerts')).toBe('my.system.alerts');
  });
});
