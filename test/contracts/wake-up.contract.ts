import { afterEach, describe, expect, it } from '@jest/globals';
import type { WakeUp } from '../../src/platform/wake-up/wake-up.port.js';
import { until } from '../support/wait-for.js';

/** What every WakeUp does. `open` makes one; they hear each other if the adapter reaches other processes. */
export function wakeUpContract(
  name: string,
  open: () => Promise<{ wakeUp: WakeUp; close(): Promise<void> }>,
): void {
  describe(`a wake-up ${name}`, () => {
    const opened: { close(): Promise<void> }[] = [];
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((one) => one.close()));
    });

    async function make(): Promise<WakeUp> {
      const one = await open();
      opened.push(one);
      return one.wakeUp;
    }

    it('tells this process the key that is new', async () => {
      const wakeUp = await make();
      const heard: string[] = [];
      wakeUp.on('routes', (keys) => heard.push(...keys));
      wakeUp.notify('routes', '7');
      await until(() => heard.length > 0);
      expect(heard).toEqual(['7']);
    });

    it('needs no key', async () => {
      const wakeUp = await make();
      let calls = 0;
      wakeUp.on('log', () => (calls += 1));
      calls = 0;
      wakeUp.notify('log');
      await until(() => calls > 0);
    });

    it('does not call from within notify, and calls once for many hints of one moment', async () => {
      const wakeUp = await make();
      const calls: string[][] = [];
      wakeUp.on('routes', (keys) => void (keys.size > 0 && calls.push([...keys].toSorted())));
      for (const key of ['2', '1', '2', '3', '1']) wakeUp.notify('routes', key);
      expect(calls).toEqual([]);
      await until(() => calls.length > 0);
      expect(calls).toEqual([['1', '2', '3']]);
    });

    it('tells every handler of a channel and none of another', async () => {
      const wakeUp = await make();
      const heard: string[] = [];
      for (const channel of ['a', 'b']) {
        for (const nth of ['first', 'second']) {
          wakeUp.on(channel, (keys) => void (keys.size > 0 && heard.push(`${nth} of ${channel}`)));
        }
      }
      wakeUp.notify('a', 'x');
      await until(() => heard.length === 2);
      expect(heard.toSorted()).toEqual(['first of a', 'second of a']);
    });

    it('is heard by a handler that notifies again', async () => {
      const wakeUp = await make();
      const heard: string[] = [];
      wakeUp.on('routes', (keys) => {
        heard.push(...keys);
        if (keys.has('1')) wakeUp.notify('routes', '2');
      });
      wakeUp.notify('routes', '1');
      await until(() => heard.includes('2'));
      expect(heard).toEqual(['1', '2']);
    });
  });
}
