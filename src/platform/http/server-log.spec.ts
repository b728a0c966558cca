import { expect, it } from '@jest/globals';
import { pino } from 'pino';
import { NestLog } from './server-log.js';

/** The one line that `write` logs. */
function lineOf(write: (log: NestLog) => void): unknown {
  const lines: string[] = [];
  write(new NestLog(pino({}, { write: (line) => lines.push(line) })));
  expect(lines).toHaveLength(1);
  return JSON.parse(lines.join(''));
}

it('logs a defect with its stack and the correlation id that the client was told', () => {
  const line = lineOf((log) => log.error(new Error('broken'), { correlation_id: 'c-1' }, 'Errors'));
  expect(line).toMatchObject({
    context: 'Errors',
    correlation_id: 'c-1',
    msg: 'broken',
    err: { stack: expect.stringContaining('broken') },
  });
});

it('logs a text with the stack that is given with it, and without', () => {
  expect(lineOf((log) => log.error('a job failed', 'Error: at x', 'Jobs'))).toMatchObject({
    context: 'Jobs',
    stack: 'Error: at x',
    msg: 'a job failed',
  });
  expect(lineOf((log) => log.warn('it is late', 'Jobs'))).toMatchObject({
    context: 'Jobs',
    msg: 'it is late',
  });
});
