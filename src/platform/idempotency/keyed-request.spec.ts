import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { currentKeyedRequest, KeyedRequest, runKeyed, runUnkeyed } from './keyed-request.js';

const keyed = (key: string): KeyedRequest =>
  new KeyedRequest({ clientId: 'c', method: 'POST', path: '/tasks', key }, 'hash', () => {});

it('is known to all that it waits for, and to nothing that it only sets off', async () => {
  const request = keyed('one');
  const known = await runKeyed(request, async () => {
    await turn();
    return [currentKeyedRequest(), runUnkeyed(currentKeyedRequest)];
  });
  expect(known).toEqual([request, undefined]);
  expect(currentKeyedRequest()).toBeUndefined();
});

it('is known until it has ended, however many others begin and end meanwhile', async () => {
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  const long = keyed('long');
  const known = runKeyed(long, async () => {
    await ended;
    return currentKeyedRequest();
  });
  const short = keyed('short');
  expect(await runKeyed(short, async () => currentKeyedRequest())).toBe(short);
  await expect(runKeyed(short, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  end();
  expect(await known).toBe(long);
  expect(await runKeyed(short, async () => currentKeyedRequest())).toBe(short);
});
