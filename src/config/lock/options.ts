import { milliseconds, type Duration, type Milliseconds } from '../../duration.js';
import { InvalidArgumentError } from '../../errors.js';
import { isStrategy, NO_RETRY, type RetryStrategy } from './retry.js';

/** How one acquisition waits. */
export interface WaitOptions {
  /**
   * How long `lock()` may wait; `0` is one try. Independent of the ttl. What the factory was opened with when left out, which is
   * without limit unless told: until the signal aborts.
   */
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
  /**
   * Makes waiting for a key inside a routine that holds it an immediate `LockDeadlockError`. Off by default, since following
   * what is inside (Node's AsyncLocalStorage) makes every promise of the process a little dearer.
   */
  detectDeadlock?: boolean | undefined;
}

/** {@link LockOptions} of a single try, which does not wait. */
export type TryOptions = Omit<LockOptions, 'wait' | 'retry'> & { wait?: undefined; retry?: undefined };

/** How long the key of `once` stays taken. */
export interface OnceTimes {
  /** The longest that it is held, and longer than the routine ever takes: it is not renewed. */
  atMost: Duration;
  /** The shortest after the start: longer than the clocks of the hosts differ. Nothing is kept when left out. */
  atLeast?: Duration | undefined;
}

/** {@link WaitOptions}, checked. */
export interface WaitTerms {
  readonly wait: Milliseconds | undefined;
  readonly signal: AbortSignal | undefined;
  readonly retry: RetryStrategy | undefined;
}

/** What a holder is told apart by. */
export interface HoldTerms {
  /** One's own; undefined for a random one. */
  readonly token: string | undefined;
  readonly metadata: string;
}

/** {@link LockOptions}, checked. */
export interface LockTerms extends WaitTerms {
  /** Apart, since a lease keeps it. */
  readonly hold: HoldTerms;
  readonly renew: boolean;
  readonly maxHold: Milliseconds;
  readonly detectDeadlock: boolean;
}

/** What holds where a lock's options say nothing. */
export const DEFAULT_LOCK_TERMS: LockTerms = Object.freeze({
  wait: undefined,
  signal: undefined,
  retry: undefined,
  hold: Object.freeze({ token: undefined, metadata: '' }),
  renew: false,
  maxHold: Infinity,
  detectDeadlock: false,
});

/** Characters that a key or a metadata text may have; Redis takes more, nobody who asks for more means it. */
export const LONGEST_TEXT = 65_536;
const LONGEST_TOKEN = 1_024;
const WAIT_KEYS: readonly string[] = ['wait', 'signal', 'retry'];
/** What `tryLock` takes, which does not wait. */
const TRY_KEYS: readonly string[] = ['signal'];
const HOLD_KEYS: readonly string[] = ['token', 'metadata', 'renew', 'maxHold', 'detectDeadlock'];
const LOCK_KEYS = [...WAIT_KEYS, ...HOLD_KEYS];
/** What `tryRun` takes. */
const TRY_RUN_KEYS = [...TRY_KEYS, ...HOLD_KEYS];

/**
 * Options of `lock()` over the terms of its lock.
 * @param keys those that are taken
 */
export function waitTerms(options: WaitOptions | undefined, base: WaitTerms, keys = WAIT_KEYS): WaitTerms {
  if (options === undefined) return base;
  checkObject(options, keys);
  const { wait, signal, retry } = options;
  if (wait === undefined && signal === undefined && retry === undefined) return base;
  return {
    wait: wait === undefined ? base.wait : milliseconds('wait', wait),
    signal: signal === undefined ? base.signal : checkSignal(signal),
    retry: retry === undefined ? base.retry : checkRetry(retry),
  };
}

/** Options of `tryLock()`: a wait of no time. */
export function tryTerms(options: Pick<WaitOptions, 'signal'> | undefined, base: WaitTerms): WaitTerms {
  return { wait: 0, signal: waitTerms(options, base, TRY_KEYS).signal, retry: undefined };
}

/** Whether they mean one try, refused as soon as somebody else has the key. */
export function isSingle({ wait, retry }: WaitTerms): boolean {
  return wait === 0 || retry === NO_RETRY;
}

/** Options of `new()` and `withOpt()` over the terms of their factory. */
export function lockTerms(options: LockOptions | undefined, base: LockTerms): LockTerms {
  if (options === undefined) return base;
  checkObject(options, LOCK_KEYS);
  const { wait, signal, retry, token, metadata, renew, maxHold, detectDeadlock } = options;
  return {
    ...waitTerms({ wait, signal, retry }, base),
    hold: {
      token: token === undefined ? base.hold.token : checkText('token', token, 1, LONGEST_TOKEN),
      metadata: metadata === undefined ? base.hold.metadata : checkText('metadata', metadata, 0, LONGEST_TEXT),
    },
    renew: renew === undefined ? base.renew : checkFlag('renew', renew),
    maxHold: maxHold === undefined ? base.maxHold : milliseconds('maxHold', maxHold, 1),
    detectDeadlock: detectDeadlock === undefined ? base.detectDeadlock : checkFlag('detectDeadlock', detectDeadlock),
  };
}

/** Options of `tryRun`, which does not wait. */
export function checkTryOptions(options: TryOptions | undefined): void {
  if (options !== undefined) checkObject(options, TRY_RUN_KEYS);
}

/** {@link OnceTimes}, checked. */
export function onceTimes(times: OnceTimes, shortest: Milliseconds): { atMost: Milliseconds; atLeast: Milliseconds } {
  checkObject(times, ['atMost', 'atLeast']);
  const atMost = milliseconds('atMost', times.atMost, shortest);
  const atLeast = milliseconds('atLeast', times.atLeast ?? 0);
  if (atLeast > atMost) throw new InvalidArgumentError('atLeast', times.atLeast, `at most atMost, ${atMost} ms`);
  return { atMost, atLeast };
}

/** A text of the right length that survives UTF-8, as keys, tokens and metadata must. */
export function checkText(name: string, value: unknown, least: number, most: number): string {
  if (typeof value === 'string' && value.length >= least && value.length <= most && value.isWellFormed()) return value;
  throw new InvalidArgumentError(name, value, `well-formed text of ${least} to ${most} characters`);
}

function checkObject(options: unknown, known: readonly string[]): void {
  const isTable = typeof options === 'object' && options !== null && !Array.isArray(options);
  if (!isTable || options instanceof AbortSignal)
    throw new InvalidArgumentError('options', options, `an object with any of ${known.join(', ')}`);
  const [strange] = Object.entries(options).find(([name, value]) => value !== undefined && !known.includes(name)) ?? [];
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

/** A switch. */
export function checkFlag(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new InvalidArgumentError(name, value, 'true or false');
}

/** A whole number within bounds. */
export function checkWhole(name: string, value: unknown, least: number, most: number): number {
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
  throw new InvalidArgumentError(name, value, `a whole number from ${least} to ${most}`);
}
