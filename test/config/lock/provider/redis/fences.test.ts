import { describe, expect, it } from '@jest/globals';
import { array, assert, double, property, record } from 'fast-check';
import { FenceBlock, Visit } from '../../../../../src/config/lock/provider/redis/fences.js';

/** One visit: its block, of which so much is used, from nothing to all. */
function visit(block: FenceBlock, now: number, use: number): number {
  const size = block.take(now);
  const given = new Visit(now, 1, size, undefined);
  while (given.used < use * size) given.next();
  block.learn(given);
  return size;
}

describe('the fences that a process takes', () => {
  const visits = array(
    record({ pause: double({ min: 0, max: 15, noNaN: true }), use: double({ min: 0, max: 1, noNaN: true }) }),
    { minLength: 1, maxLength: 200 },
  );

  it('are no more than microseconds pass, but for 10 ms saved, and the 8 that no visit goes without', () => {
    assert(
      property(visits, (all) => {
        const block = new FenceBlock();
        let now = 1_000;
        let taken = 0;
        for (const { pause, use } of all) {
          now += pause;
          const size = visit(block, now, use);
          expect(size).toBeGreaterThanOrEqual(8);
          expect(Number.isInteger(size)).toBe(true);
          taken += size;
        }
        expect(taken).toBeLessThanOrEqual(10_000 + (now - 1_000) * 1_000 + 8 * all.length);
      }),
      { numRuns: 500 },
    );
  });

  it('are enough for 10 ms of hand-overs once so many were used, and few when few are', () => {
    const block = new FenceBlock();
    const sizes = Array.from({ length: 12 }, (_, at) => visit(block, at * 10, 1));
    expect(sizes).toEqual([8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 4_096, 4_096]);
    const fewer = Array.from({ length: 12 }, (_, at) => visit(block, 200 + at * 10, 0));
    expect(fewer).toEqual([4_096, 2_048, 1_024, 512, 256, 128, 64, 32, 16, 8, 8, 8]);
  });

  it('of many visits at one moment are few, and many again as time passes', () => {
    const block = new FenceBlock();
    for (let at = 0; at < 12; at += 1) visit(block, at * 10, 1);
    expect(Array.from({ length: 6 }, () => block.take(500))).toEqual([4_096, 4_096, 1_808, 8, 8, 8]);
    expect(block.take(520)).toBe(4_096);
  });
});
