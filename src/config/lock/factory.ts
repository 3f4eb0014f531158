import { milliseconds, type Duration, type Milliseconds } from '../../duration.js';
import { InvalidArgumentError } from '../../errors.js';
import { callSite, within } from './deadlock.js';
import { Lock } from './lock.js';
import {
  checkText,
  checkTryOptions,
  DEFAULT_LOCK_TERMS,
  lockTerms,
  LONGEST_TEXT,
  onceTimes,
  type LockOptions,
  type LockTerms,
  type OnceTimes,
  type TryOptions,
} from './options.js';
import type { StoreCopy } from './provider/index.js';
import { checkStore, type LockStore } from './provider/store.js';
import { Queues } from './queues.js';
import type { RenewalFigures } from './renewal.js';
import { Run, type Outcome, type Routine } from './routine.js';

/** How long `close` may take, in milliseconds. */
const CLOSE_LIMIT: Milliseconds = 5_000;

/**
 * Makes locks of one provider. Locks of one factory stand in one line per key; two factories share nothing but what their
 * provider shares.
 * @see Go: ioc/config/lock, LockFactory
 */
export class LockFactory implements AsyncDisposable {
  readonly #queues: Queues;
  readonly #terms: LockTerms;
  /** Those of `run` and `tryRun`, and of `once`. */
  readonly #renewed: LockTerms;
  readonly #once: LockTerms;
  #closing: Promise<void> | undefined;

  /**
   * `lock.L()` and `lock.open()` make one; a store of one's own comes in here.
   * @param options of locks that say nothing else
   * @param copy the library's own: what a thread of renewals opens the same store by
   * @throws {InvalidArgumentError} it is no store, or an option is wrong
   */
  constructor(store: LockStore, options: LockOptions = {}, copy?: StoreCopy) {
    this.#terms = lockTerms(options, DEFAULT_LOCK_TERMS);
    this.#renewed = { ...this.#terms, renew: true };
    this.#once = { ...this.#terms, renew: false };
    this.#queues = new Queues(checkStore(store), copy);
  }

  /** The name of the provider, as in `[lock] provider`. */
  get provider(): string {
    return this.#queues.store.provider;
  }

  /** The shortest ttl that its provider takes, in milliseconds. */
  get shortestTtl(): Milliseconds {
    return this.#queues.store.shortestTtl;
  }

  /** How the renewals of this factory keep up: to be watched, since a lag that nears the ttl is the loss of a lock. */
  get renewal(): RenewalFigures {
    return this.#queues.renewalFigures;
  }

  /**
   * Resolves once the thread runs that `renewalThread` asks for, or has failed to start, which is a warning: then leases are renewed
   * without it. Until then they live by their ttl alone.
   */
  get ready(): Promise<void> {
    return this.#queues.ready;
  }

  /**
   * Makes a lock; nothing is asked or held yet.
   * @param key what is locked: text of 1 to 65,536 characters
   * @param ttl how long a hold lasts unless it is refreshed
   * @throws {InvalidArgumentError} an argument is wrong; the message says which, and what would be right
   * @throws {NotReadyError} the factory is closed
   * @see Go: LockFactory.New
   */
  new(key: string, ttl: Duration, options?: LockOptions): Lock {
    const ms = this.#checked(ttl);
    checkText('key', key, 1, LONGEST_TEXT);
    return new Lock(this.#queues, key, ms, lockTerms(options, this.#terms));
  }

  /**
   * Takes the lock, runs the routine, gives the lock back; keeps the lease alive meanwhile, unless `renew` is false.
   * @returns the routine's value, also when the lock could not be given back or was lost meanwhile: then Node prints a
   *   warning of the name `LockWarning`, whose `cause` is why
   * @throws the routine's own error, whatever else failed: that the lock could not be given back either is a warning,
   *   whose `cause` is why. Or what `Lock.lock` throws, or `LockLostError` after a stall, and the routine did not run then
   */
  run<T>(key: string, ttl: Duration, routine: Routine<T>, options?: LockOptions): Promise<T> {
    try {
      return this.#running('run', key, ttl, routine, options, this.#renewed).start();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** As `run`, but only if the key is free: `{ ran: false }` when another has it. */
  async tryRun<T>(key: string, ttl: Duration, routine: Routine<T>, options?: TryOptions): Promise<Outcome<T>> {
    checkTryOptions(options);
    return this.#running('tryRun', key, ttl, routine, options, this.#renewed).tryStart();
  }

  /**
   * For what a schedule starts on many hosts at the same time: runs the routine where the key is obtained first, and skips it
   * on the others. The key stays taken for `atLeast` after the start, also when the routine is done sooner, fails, or its
   * process ends, so that a host whose clock is a bit behind does not run it again; and for `atMost`, for nothing renews it:
   * then the routine's signal aborts. After the routine nothing is held; what is left of `atLeast` just runs out, also when
   * this factory is closed.
   * @returns as `tryRun`; a lock that could not be given back, or was lost, is a `LockWarning` as there
   * @throws the routine's own error, whatever else failed; or what `Lock.tryLock` throws but for `NotObtainedError`
   * @throws {InvalidArgumentError} an argument is wrong: `atLeast` may not be longer than `atMost`
   * @see ShedLock, whose `lockAtMostFor` and `lockAtLeastFor` are the source of the idea
   */
  async once<T>(key: string, times: OnceTimes, routine: Routine<T>): Promise<Outcome<T>> {
    const { atMost, atLeast } = onceTimes(times, this.#queues.store.shortestTtl);
    return this.#running('once', key, atMost, routine, undefined, this.#once).tryStart(atLeast);
  }

  /**
   * Rejects every wait, releases every hold (their signals abort with reason `closed`) and gives back what was opened.
   * Afterwards no lock of this factory can be taken. A second call waits for the first, which alone tells what failed.
   * @param limit how long it may take at most
   * @throws {ProviderUnreachableError} a release was not answered within `limit`: that key stays taken until its ttl is over
   * @throws {ProviderError} the provider refused a release
   */
  async close(limit: Duration = CLOSE_LIMIT): Promise<void> {
    const ms = milliseconds('limit', limit);
    if (this.#closing) return void (await this.#closing.catch(() => undefined));
    await (this.#closing = this.#queues.close(ms));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** A routine on its way to its lock. */
  #running<T>(
    call: 'run' | 'tryRun' | 'once',
    key: string,
    ttl: Duration,
    routine: Routine<T>,
    options: LockOptions | undefined,
    base: LockTerms,
  ): Run<T> {
    if (typeof routine !== 'function') throw new InvalidArgumentError('routine', routine, 'a function');
    const ms = this.#checked(ttl);
    const terms = lockTerms(options, base);
    const inside = terms.detectDeadlock ? this.#inside(routine, callSite(call, this)) : routine;
    return new Run(this.#queues, key, ms, terms, inside);
  }

  /** A routine that knows that it is inside the lock that was asked for at `takenAt`. */
  #inside<T>(routine: Routine<T>, takenAt: string): Routine<T> {
    return (held) => within(this.#queues, held.lock, takenAt, () => routine(held));
  }

  /** @returns the ttl, in milliseconds */
  #checked(ttl: Duration): Milliseconds {
    const { closed, store } = this.#queues;
    if (closed) throw closed;
    return milliseconds('ttl', ttl, store.shortestTtl);
  }
}
