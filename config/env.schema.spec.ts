import { describe, expect, it } from '@jest/globals';
import { ENV_SCHEMA } from './env.schema.js';

describe('EGRESS_ALLOW', () => {
  const read = (text: string): readonly string[] => ENV_SCHEMA.EGRESS_ALLOW.read(text);

  it('is a list of CIDR blocks, none by default', () => {
    expect(read('10.0.0.0/8, fd00::/8,192.168.1.7/32')).toEqual(['10.0.0.0/8', 'fd00::/8', '192.168.1.7/32']);
    expect(read(ENV_SCHEMA.EGRESS_ALLOW.fallback ?? 'none')).toEqual([]);
  });

  it.each([
    '10/8',
    '10.0.0.1',
    '0x0a.0.0.0/8',
    '10.0.0.0/33',
    'fd00::/129',
    'localhost',
    '10.0.0.0/8;fd00::/8',
  ])('refuses %s, and says what it takes', (text) =>
    expect(() => read(text)).toThrow(
      `must be CIDR blocks such as 10.0.0.0/8,fd00::/8, and '${text}' is none`,
    ),
  );
});
