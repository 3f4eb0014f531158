import { milliseconds, type Duration, type Milliseconds } from '../../duration.js';
import { InvalidArgumentError } from '../../errors.js';

/**
 * How long a waiter pauses between its tries. A strategy keeps no count, so that any number of locks may share one.
 * Without a strategy a waiter is woken when the key may be free, which is both sooner and cheaper.
 */
export interface RetryStrategy {
  /**
   * @param attempt how many tries have failed so far: 1 after the first
   * @returns milliseconds until the next try; 0 or less to give up with `NotObtainedError`
   */
  next(attempt: number): Milliseconds;
}

/** The one strategy of `noRetry`. */
export const NO_RETRY: RetryStrategy = Object.freeze({ next: () => 0 });

/** One try, no second one: `lock()` then behaves as `tryLock()`. Go: `NoRetry`. */
export function noRetry(): RetryStrategy {
  return NO_RETRY;
}

/** The same pause after every try. Go: `LinearBackoff`. */
export function linearBackoff(pause: Duration): RetryStrategy {
  return every(milliseconds('linearBackoff pause', pause, 1));
}

/**
 * At most `retries` tries after the first. Go: `LimitRetry`.
 * @param pause the pause between them, or the strategy that gives it
 */
export function limitRetry(pause: Duration | RetryStrategy, retries: number): RetryStrategy {
  const inner = isStrategy(pause) ? pause : every(milliseconds('limitRetry pause', pause, 1));
  if (!Number.isInteger(retries) || retries < 0) {
    throw new InvalidArgumentError('limitRetry retries', retries, 'a whole number, 0 or more');
  }
  return { next: (attempt) => (attempt <= retries ? inner.next(attempt) : 0) };
}

/**
 * Pauses of 4, 8, 16, … milliseconds, kept between `min` and `max`. Go: `ExponentialBackoff`, whose series this is.
 * @param max when left out or 0, pauses grow to 2^26 ms (18.6 hours), as in Go
 */
export function exponentialBackoff(min: Duration, max: Duration = 0): RetryStrategy {
  const least = milliseconds('exponentialBackoff min', min);
  const most = milliseconds('exponentialBackoff max', max);
  if (most !== 0 && most < least) throw new InvalidArgumentError('exponentialBackoff max', max, `${least} ms or more`);
  return { next: (attempt) => Math.max(1, clamp(2 ** Math.min(attempt + 1, 26), least, most || Infinity)) };
}

/** Whether a value can serve as a retry strategy. */
export function isStrategy(value: unknown): value is RetryStrategy {
  return typeof value === 'object' && value !== null && typeof (value as RetryStrategy).next === 'function';
}

function every(pause: Milliseconds): RetryStrategy {
  return { next: () => pause };
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
