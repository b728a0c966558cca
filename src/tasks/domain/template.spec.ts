import { describe, expect, it } from '@jest/globals';
import { DomainError } from '../../shared/domain-error.js';
import { templateUse, withDefaults } from './template.js';

const NOT_THE_PROTOTYPE = JSON.parse('{"toString": 1}') as unknown;

describe('the defaults of a template', () => {
  it.each([
    ['stand where nothing was given', { a: 1 }, undefined, { a: 1 }],
    ['are merged under what was given', { a: 1, b: 2 }, { b: 3, c: 4 }, { a: 1, b: 3, c: 4 }],
    [
      'are merged at every depth',
      { db: { kind: 'pg', port: 5432 } },
      { db: { port: 1 } },
      { db: { kind: 'pg', port: 1 } },
    ],
    ['give way to a list as a whole', { list: [1, 2, 3] }, { list: [] }, { list: [] }],
    ['give way to null', { a: { b: 1 } }, { a: null }, { a: null }],
    ['give way to what is no object', { a: 1 }, 'text', 'text'],
    ['know no members but their own', {}, NOT_THE_PROTOTYPE, NOT_THE_PROTOTYPE],
  ])('%s', (_sentence, defaults, given, expected) => {
    expect(withDefaults(defaults, given)).toEqual(expected);
  });
});

describe('the template that an input names', () => {
  it.each([undefined, null, 'text', [], {}, { template_id: null }, { template_version: 3 }])(
    'is none in %j',
    (input) => {
      expect(templateUse(input, '/input_data')).toBeUndefined();
    },
  );

  it('is the newest one unless the input says which version', () => {
    expect(templateUse({ template_id: 'a' }, '')).toEqual({ templateId: 'a', version: null });
    expect(templateUse({ template_id: 'a', template_version: 2 }, '')).toEqual({
      templateId: 'a',
      version: 2,
    });
  });

  it.each([
    [{ template_id: 7 }, '/input_data/template_id'],
    [{ template_id: 'a', template_version: '1' }, '/input_data/template_version'],
    [{ template_id: 'a', template_version: 0 }, '/input_data/template_version'],
    [{ template_id: 'a', template_version: 1.5 }, '/input_data/template_version'],
  ])('is refused in %j', (input, path) => {
    const use = (): unknown => templateUse(input, '/input_data');
    expect(use).toThrow(DomainError);
    expect(use).toThrow(
      expect.objectContaining({ code: 'INVALID_TEMPLATE', message: expect.stringContaining(path) }),
    );
  });
});
