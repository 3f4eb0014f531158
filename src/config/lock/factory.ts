import { milliseconds, type Duration, type Milliseconds } from '../../duration.js';
import { InvalidArgumentError } from '../../errors.js';
import { LockLostError, NotObtainedError } from './errors.js';
import { Lock } from './lock.js';
import { checkText, DEFAULT_LOCK_TERMS, lockTerms, LONGEST_TEXT, type LockOptions, type LockTerms } from './options.js';
import type { LockStore } from './provider/store.js';
import { Queues } from './queues.js';

/** What a routine that runs under a lock is given. */
export interface Held {
  /** Aborted with `LockLostError` if the lock is lost while the routine runs: stop writing then. */
  readonly signal: AbortSignal;
  /** The fencing token of this hold, for storage that refuses stale writers. */
  readonly fence: bigint;
  /** The lock itself. */
  readonly lock: Lock;
}

/** What is done under a lock. */
export type Routine<T> = (held: Held) => T | PromiseLike<T>;

/** What `tryRun` tells: the routine's value, or that another had the key and it did not run. */
export type Outcome<T> = { readonly ran: true; readonly value: T } | { readonly ran: false };

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

  /** `lock.L()` and `lock.open()` make one; a store of one's own comes in here. */
  constructor(store: LockStore, terms: LockTerms = DEFAULT_LOCK_TERMS) {
    this.#queues = new Queues(store);
    this.#terms = terms;
  }

  /** The name of the provider, as in `[lock] provider`. */
  get provider(): string {
    return this.#queues.store.provider;
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
    const { closed, store } = this.#queues;
    if (closed) throw closed;
    checkText('key', key, 1, LONGEST_TEXT);
    return new Lock(this.#queues, key, milliseconds('ttl', ttl, store.shortestTtl), lockTerms(options, this.#terms));
  }

  /**
   * Takes the lock, runs the routine, gives the lock back; keeps the lease alive meanwhile, unless `renew` is false.
   * @returns the routine's value, also when the lock could not be given back or was lost meanwhile: then Node prints a
   *   warning, and the routine's `signal` had told it
   * @throws the routine's own error, whatever else failed; or what `Lock.lock` throws, and the routine did not run then
   */
  async run<T>(key: string, ttl: Duration, routine: Routine<T>, options?: LockOptions): Promise<T> {
    const lock = this.#renewed(key, ttl, routine, options);
    await lock.lock();
    return runHeld(lock, routine);
  }

  /** As `run`, but only if the key is free: `{ ran: false }` when another has it. */
  async tryRun<T>(key: string, ttl: Duration, routine: Routine<T>, options?: LockOptions): Promise<Outcome<T>> {
    const lock = this.#renewed(key, ttl, routine, options);
    try {
      await lock.tryLock();
    } catch (error) {
      if (error instanceof NotObtainedError) return { ran: false };
      throw error;
    }
    return { ran: true, value: await runHeld(lock, routine) };
  }

  /**
   * Rejects every wait, releases every hold (their signals abort with reason `closed`) and gives back what was opened.
   * Afterwards no lock of this factory can be taken. A second call does nothing.
   * @param limit how long it may take at most
   */
  async close(limit: Duration = CLOSE_LIMIT): Promise<void> {
    const ms = milliseconds('limit', limit);
    if (!this.#queues.closed) await this.#queues.close(ms);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #renewed(key: string, ttl: Duration, routine: unknown, options?: LockOptions): Lock {
    if (typeof routine !== 'function') throw new InvalidArgumentError('routine', routine, 'a function');
    return this.new(key, ttl, { ...options, renew: options?.renew ?? true });
  }
}

async function runHeld<T>(lock: Lock, routine: Routine<T>): Promise<T> {
  const { signal, fence } = lock;
  // A stall between the grant and this statement may have outlived the lease: then the routine must not start.
  if (fence === undefined) throw new LockLostError(lock.key, 'expired');
  const held: Held = { signal, fence, lock };
  let value: T;
  try {
    value = await routine(held);
  } catch (error) {
    await lock.unlock().catch(() => undefined);
    throw error;
  }
  await lock.unlock().catch((error: Error) => warn(lock.key, error));
  return value;
}

/** The routine's value stands; that its lock did not end well must not pass silently either. */
function warn(key: string, error: Error): void {
  process.emitWarning(
    `lock ${JSON.stringify(key)}: the routine is done, but its lock was not given back: ${error.message}`,
    {
      type: 'LockWarning',
      code: (error as { code?: string }).code ?? 'ERR_LOCK',
    },
  );
}
