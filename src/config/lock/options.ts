import { LONGEST, milliseconds, type Duration, type Milliseconds } from '../../duration.js';
import { InvalidArgumentError } from '../../errors.js';
import { isStrategy, type RetryStrategy } from './retry.js';

/** How one acquisition waits. */
export interface WaitOptions {
  /** How long `lock()` may wait; without it, until the signal aborts. `0` is one try. Independent of the ttl. */
  wait?: Duration | undefined;
  /** Ends the wait: it rejects with the signal's reason, and the lock is not taken later. */
  signal?: AbortSignal | undefined;
  /** Polls by this strategy; without it the waiter is woken when the key may be free. */
  retry?: RetryStrategy | undefined;
}

/** What a lock is made with. */
export interface LockOptions extends WaitOptions {
  /**
   * The text that tells this holder apart; random 128 bits otherwise. Two processes that use the same token and the same
   * metadata are the same holder to the provider, as in Go: leave it out unless you mean that.
   */
  token?: string | undefined;
  /** Text that is kept beside the token, for people who look at the key. */
  metadata?: string | undefined;
  /** Keeps the lease alive while it is held. On in `run`, off in plain `lock()` so that the ttl means what it says. */
  renew?: boolean | undefined;
  /** Renewal never carries a hold beyond this time after its acquisition. */
  maxHold?: Duration | undefined;
}

/** {@link WaitOptions}, checked. */
export interface WaitTerms {
  readonly wait: Milliseconds | undefined;
  readonly signal: AbortSignal | undefined;
  readonly retry: RetryStrategy | undefined;
}

/** {@link LockOptions}, checked. */
export interface LockTerms extends WaitTerms {
  readonly token: string | undefined;
  readonly metadata: string;
  readonly renew: boolean;
  readonly maxHold: Milliseconds;
}

/** What holds where a lock's options say nothing. */
export const DEFAULT_LOCK_TERMS: LockTerms = Object.freeze({
  wait: undefined,
  signal: undefined,
  retry: undefined,
  token: undefined,
  metadata: '',
  renew: false,
  maxHold: Infinity,
});

/** Characters that a key or a metadata text may have; Redis takes more, nobody who asks for more means it. */
export const LONGEST_TEXT = 65_536;
const LONGEST_TOKEN = 1_024;
const WAIT_KEYS = ['wait', 'signal', 'retry'];
const LOCK_KEYS = [...WAIT_KEYS, 'token', 'metadata', 'renew', 'maxHold'];

/** Options of `lock()` over the terms of its lock. */
export function waitTerms(options: WaitOptions | undefined, base: WaitTerms): WaitTerms {
  if (options === undefined) return base;
  checkObject(options, WAIT_KEYS);
  const { wait, signal, retry } = options;
  if (wait === undefined && signal === undefined && retry === undefined) return base;
  return {
    wait: wait === undefined ? base.wait : milliseconds('wait', wait),
    signal: signal === undefined ? base.signal : checkSignal(signal),
    retry: retry === undefined ? base.retry : checkRetry(retry),
  };
}

/** Options of `new()` and `withOpt()` over the terms of their factory. */
export function lockTerms(options: LockOptions | undefined, base: LockTerms): LockTerms {
  if (options === undefined) return base;
  checkObject(options, LOCK_KEYS);
  const { wait, signal, retry, token, metadata, renew, maxHold } = options;
  return {
    ...waitTerms({ wait, signal, retry }, base),
    token: token === undefined ? base.token : checkText('token', token, 1, LONGEST_TOKEN),
    metadata: metadata === undefined ? base.metadata : checkText('metadata', metadata, 0, LONGEST_TEXT),
    renew: renew === undefined ? base.renew : checkFlag('renew', renew),
    maxHold: maxHold === undefined ? base.maxHold : milliseconds('maxHold', maxHold, 1),
  };
}

/** A text of the right length that survives UTF-8, as keys, tokens and metadata must. */
export function checkText(name: string, value: unknown, least: number, most: number): string {
  if (typeof value === 'string' && value.length >= least && value.length <= most && value.isWellFormed()) return value;
  throw new InvalidArgumentError(name, value, `well-formed text of ${least} to ${most} characters`);
}

function checkObject(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError('options', options, `an object with any of ${known.join(', ')}`);
  }
  const strange = Object.keys(options).find((name) => !known.includes(name));
  if (strange !== undefined) throw new InvalidArgumentError('options', strange, `only ${known.join(', ')}`);
}

function checkSignal(signal: unknown): AbortSignal {
  if (signal instanceof AbortSignal) return signal;
  throw new InvalidArgumentError('signal', signal, 'an AbortSignal');
}

function checkRetry(retry: unknown): RetryStrategy {
  if (isStrategy(retry)) return retry;
  throw new InvalidArgumentError('retry', retry, 'a strategy, such as linearBackoff("100ms")');
}

function checkFlag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidArgumentError(name, value, 'true or false');
}

/** Longest delay of one Node timer; a longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** A delay in milliseconds as a timer takes it; who set the timer looks again when it fires. */
export function timerDelay(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), LONGEST_TIMER, LONGEST);
}
