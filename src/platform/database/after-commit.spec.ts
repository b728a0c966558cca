import { describe, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { runAll } from './after-commit.js';

// What fails here fails on purpose.
Logger.overrideLogger(false);

describe('what follows a commit', () => {
  it('runs to its end, whatever of it fails', () => {
    const ran: number[] = [];
    runAll([
      () => ran.push(1),
      () => {
        throw new Error('a defect');
      },
      () => ran.push(2),
    ]);
    expect(ran).toEqual([1, 2]);
  });
});
