import { describe, expect, it } from '@jest/globals';
import { lock } from 'mcube-lock';

const series = (strategy: lock.RetryStrategy, tries: number): number[] =>
  Array.from({ length: tries }, (_, at) => strategy.next(at + 1));

describe('retry strategies', () => {
  it('noRetry gives up after the first try', () => expect(series(lock.noRetry(), 2)).toEqual([0, 0]));

  it('linearBackoff pauses the same each time', () =>
    expect(series(lock.linearBackoff('1s'), 3)).toEqual([1_000, 1_000, 1_000]));

  it('limitRetry allows so many tries after the first, over a pause or another strategy', () => {
    expect(series(lock.limitRetry('10ms', 2), 4)).toEqual([10, 10, 0, 0]);
    expect(series(lock.limitRetry(lock.exponentialBackoff(1, 0), 2), 3)).toEqual([4, 8, 0]);
    expect(series(lock.limitRetry(5, 0), 1)).toEqual([0]);
  });

  it("exponentialBackoff is Go's series of 4, 8, 16, … ms between its bounds", () => {
    expect(series(lock.exponentialBackoff(0), 5)).toEqual([4, 8, 16, 32, 64]);
    expect(series(lock.exponentialBackoff('16ms', '100ms'), 7)).toEqual([16, 16, 16, 32, 64, 100, 100]);
    expect(lock.exponentialBackoff(0).next(1_000)).toBe(2 ** 26);
  });

  it('keeps no count: two locks may share one', () => {
    const shared = lock.limitRetry(7, 1);
    expect([shared.next(1), shared.next(1), shared.next(2)]).toEqual([7, 7, 0]);
  });

  it('refuses what cannot be', () => {
    const wrong: [() => unknown, string][] = [
      [() => lock.linearBackoff(0), 'linearBackoff pause: found 0'],
      [() => lock.linearBackoff('often'), 'linearBackoff pause: found "often"'],
      [() => lock.limitRetry('often', 1), 'limitRetry pause: found "often"'],
      [() => lock.limitRetry({} as never, 1), 'limitRetry pause: found'],
      [() => lock.limitRetry(10, -1), 'limitRetry retries: found -1'],
      [() => lock.limitRetry(10, 1.5), 'limitRetry retries: found 1.5'],
      [() => lock.exponentialBackoff(-1), 'exponentialBackoff min: found -1'],
      [() => lock.exponentialBackoff(100, 50), 'exponentialBackoff max: found 50'],
    ];
    for (const [make, message] of wrong) {
      expect(make).toThrow(lock.InvalidArgumentError);
      expect(make).toThrow(message);
    }
  });
});
