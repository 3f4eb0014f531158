import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { stall, undisturbed } from './time.js';

/** Far above what a busy machine takes from this process. */
const MOST = 2_000;

describe('undisturbed', () => {
  const failing = (meanwhile: () => unknown) => {
    const attempts = { count: 0 };
    const attempt = async (): Promise<never> => {
      attempts.count += 1;
      await meanwhile();
      throw new Error(`attempt ${attempts.count}`);
    };
    return { attempts, attempt };
  };

  it('lets a failure stand while the process runs', async () => {
    const { attempts, attempt } = failing(() => sleep(50));
    await expect(undisturbed(MOST, attempt)).rejects.toThrow('attempt 1');
    expect(attempts.count).toBe(1);
  });

  it('makes another attempt when the process stood still, in the middle or at the end', async () => {
    for (const meanwhile of [() => stall(60), async () => (await sleep(10), stall(60), await sleep(10))]) {
      const { attempts, attempt } = failing(meanwhile);
      await expect(undisturbed(50, attempt)).rejects.toThrow('attempt 8');
      expect(attempts.count).toBe(8);
    }
  });

  it('is content with one attempt that succeeds, however long it took', async () => {
    let attempts = 0;
    expect(await undisturbed(50, async () => (stall(60), (attempts += 1)))).toBe(1);
  });
});
