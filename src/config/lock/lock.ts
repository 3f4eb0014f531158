import { milliseconds, type Duration, type Milliseconds } from '../../duration.js';
import { refuseDeadlock } from './deadlock.js';
import { LockNotHeldError, LockStateError } from './errors.js';
import { Lease } from './lease.js';
import {
  isSingle,
  lockTerms,
  tryTerms,
  waitTerms,
  type LockOptions,
  type LockTerms,
  type WaitOptions,
  type WaitTerms,
} from './options.js';
import type { Queues } from './queues.js';
import { release } from './release.js';
import { Watch } from './watch.js';

/** The states of a lease in which it can be lost. */
const WATCHED: ReadonlySet<string> = new Set(['asking', 'held', 'releasing']);

/** A release that needs no waiting is the same for all. */
const DONE = Promise.resolve();

/**
 * A lock on one key. Made by `LockFactory.new`; holds at most once at a time, and can be used again after an unlock or a loss.
 * @see Go: ioc/config/lock, Lock
 */
export class Lock implements AsyncDisposable {
  readonly #queues: Queues;
  #terms: LockTerms;
  /** The current acquisition or the last one. */
  #lease: Lease | undefined;
  /** For renewal and signal; few locks have either. */
  #watch: Watch | undefined;
  /** Whether it was ever asked for. */
  #asked = false;

  /** Made by `LockFactory.new`. */
  constructor(
    queues: Queues,
    /** What is locked. */
    readonly key: string,
    /** How long a hold lasts unless it is refreshed, in milliseconds. */
    readonly ttl: Milliseconds,
    terms: LockTerms,
    /** What was granted to a routine that is given this lock. */
    lease?: Lease,
  ) {
    this.#queues = queues;
    this.#terms = terms;
    this.#lease = lease;
    this.#asked = lease !== undefined;
  }

  /**
   * Takes the key, waiting for it: first come, first served within this process.
   * @returns this lock, held
   * @throws {NotObtainedError} `wait` is over, or the retry strategy gave up
   * @throws {ProviderUnreachableError} the provider gave no answer; within `wait`, if one is given
   * @throws {ProviderError} the provider refused
   * @throws {LockStateError} this object holds already, or another call on it is waiting; or it was disposed of meanwhile
   * @throws {LockDeadlockError} with `detectDeadlock`: it is called in a routine that holds the key
   * @throws {NotReadyError} the factory is closed, before or meanwhile
   * @throws the signal's reason, when it aborts; the lock is not taken later then
   * @see Go: Lock.Lock
   */
  lock(options?: WaitOptions): Promise<this> {
    this.#asked = true;
    try {
      const terms = waitTerms(options, this.#terms);
      if (this.#terms.detectDeadlock && !isSingle(terms)) refuseDeadlock(this.#queues, this.key);
      return this.acquire(terms);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Takes the key if it is free, without waiting for it.
   * @returns this lock, held
   * @throws {NotObtainedError} another has the key, or others of this process stand in line for it
   * @throws {ProviderUnreachableError} the provider gave no answer within its time limit for one command
   * @throws {ProviderError} the provider refused
   * @throws {LockStateError} this object holds already, or another call on it is waiting; or it was disposed of meanwhile
   * @throws {NotReadyError} the factory is closed, before or meanwhile
   * @throws the signal's reason, when it aborts; the lock is not taken later then
   * @see Go: Lock.TryLock
   */
  tryLock(options?: Pick<WaitOptions, 'signal'>): Promise<this> {
    this.#asked = true;
    try {
      return this.acquire(tryTerms(options, this.#terms));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Gives the key back; the next in line has it at once.
   * @throws {LockNotHeldError} this object does not hold it, or does not any more; nothing is changed
   * @throws {ProviderUnreachableError} no answer came. The hold does not count as ours from here on; the release is tried
   *   again in the background for as long as the hold could last, and by calling `unlock` again
   * @throws {ProviderError} the provider refused. The hold does not count as ours from here on, and ends with its ttl, or by
   *   calling `unlock` again
   * @see Go: Lock.UnLock
   */
  unlock(): Promise<void> {
    const lease = this.#lease;
    return lease ? (release(this.#queues, lease) ?? DONE) : Promise.reject(notHeld(this.key, lease));
  }

  /** `unlock`, in Go's spelling. */
  unLock(): Promise<void> {
    return this.unlock();
  }

  /**
   * Gives the hold a new lifetime, counted from now.
   * @param ttl replaces what is left; the ttl of the lock when left out
   * @throws {LockNotHeldError} it is not held any more; a lost lock stays lost
   * @throws {ProviderUnreachableError} no answer came; the hold lasts at least for the shorter of both lifetimes
   * @throws {ProviderError} the provider refused; the hold is as it was
   * @throws {InvalidArgumentError} it is no ttl that the provider takes
   * @see Go: Lock.Refresh
   */
  async refresh(ttl: Duration = this.ttl): Promise<void> {
    const ms = milliseconds('ttl', ttl, this.#queues.store.shortestTtl);
    const lease = this.#lease;
    if (!lease?.alive(performance.now())) throw notHeld(this.key, lease);
    await this.#queues.refresh(lease, ms);
    // It may have been given back since it was refreshed.
    if (this.#lease === lease && lease.state === 'held') this.#watch?.refreshed(ms);
  }

  /**
   * Changes the options for the next acquisition.
   * @returns this lock
   * @see Go: Lock.WithOpt
   */
  withOpt(options: LockOptions): this {
    this.#terms = lockTerms(options, this.#terms);
    return this;
  }

  /** Whether the lease is surely ours, at this very moment: compares a deadline, asks nobody. */
  get held(): boolean {
    return heldNow(this.#lease) !== undefined;
  }

  /**
   * Does nothing while the lease is surely ours, at this very moment; throws when it is not, so that what follows in the
   * same statement list is not done. Asks nobody, as `held`.
   * @throws {LockLostError} the hold was lost; its `reason` tells why
   * @throws {LockNotHeldError} nothing is held: it was unlocked, or never taken
   */
  assertHeld(): void {
    const lease = this.#lease;
    if (!heldNow(lease)) throw lease?.lost ?? new LockNotHeldError(this.key);
  }

  /** What tells this holder apart; undefined while nothing is held. */
  get token(): string | undefined {
    return heldNow(this.#lease)?.token;
  }

  /** The text kept beside the token; undefined while nothing is held. */
  get metadata(): string | undefined {
    return heldNow(this.#lease)?.metadata;
  }

  /** Grows with each acquisition of the key: storage can refuse a writer whose fence is lower than one it has seen. */
  get fence(): bigint | undefined {
    const lease = heldNow(this.#lease);
    return lease && BigInt(lease.fence);
  }

  /** Milliseconds for which the lease is surely ours, by our own clock; 0 when it is not. */
  remaining(): Milliseconds {
    return this.#lease?.left(performance.now()) ?? 0;
  }

  /**
   * Milliseconds that the hold still has by the provider's clock; 0 when the provider says that it is not ours.
   * @throws {ProviderUnreachableError} the provider gave no answer within its time limit for one command
   * @throws {ProviderError} the provider refused
   * @see Go: RedisLock.TTL
   */
  async ttlLeft(): Promise<Milliseconds> {
    const lease = heldNow(this.#lease);
    const { store } = this.#queues;
    const left = lease ? await (store.left?.(lease) ?? this.remaining()) : 0;
    if (lease && left === 0) this.#queues.lose(lease);
    return left;
  }

  /**
   * Aborted with `LockLostError` as soon as a hold of this lock is lost; an unlock does not abort it. It may be taken
   * before the lock is; after a loss, the next acquisition has a new one.
   */
  get signal(): AbortSignal {
    const lease = this.#lease;
    const watch = (this.#watch ??= new Watch());
    if (lease && WATCHED.has(lease.state)) lease.watcher = watch;
    return watch.signal(lease);
  }

  /**
   * Unlocks at the end of an `await using` block; rejects with `LockNotHeldError` if the hold was lost before that. A call that
   * still waits then rejects with `LockStateError`, and the lock is not taken later. Where neither `lock` nor `tryLock` was
   * called the block ran without a lock, which a warning tells (`LOCK_NOT_TAKEN`).
   */
  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#asked) warnNotTaken(this.key);
    return this.giveBack() ?? DONE;
  }

  /**
   * Unlocks what is held, or was lost, and takes nothing that is waited for.
   * @returns undefined when it is done
   * @internal for routines
   */
  giveBack(): Promise<void> | undefined {
    const lease = this.#lease;
    if (lease?.state === 'asking') this.#queues.withdraw(lease, blockEnded(this.key));
    return lease?.state === 'held' || lease?.lost ? release(this.#queues, lease) : undefined;
  }

  /**
   * Nothing is held any more; the key stays taken for `ms`, whatever becomes of this process.
   * @internal for routines
   */
  leave(ms: Milliseconds): Promise<void> {
    const lease = this.#lease!;
    this.#watch?.rest();
    lease.watcher = undefined;
    this.#lease = undefined;
    return this.#queues.refresh(lease, ms);
  }

  /**
   * Renews the hold of `lease` from now on, or from when it is granted, if these terms want that and it is not over.
   * @internal for routines
   */
  keepAlive(lease: Lease, { renew, maxHold }: LockTerms): void {
    const { state } = lease;
    if (!renew || lease !== this.#lease || (state !== 'held' && state !== 'asking')) return;
    lease.watcher = this.#watch ??= new Watch();
    this.#watch.begin(lease, this.#queues.renewal(maxHold));
    if (state === 'held') this.#watch.granted(lease);
  }

  // Not `#acquire`, which would leave a mark in each lock: thousands may wait.
  private acquire(terms: WaitTerms): Promise<this> {
    refuseIfBusy(this.key, this.#lease);
    const { hold, renew, maxHold } = this.#terms;
    const lease = new Lease(this.key, this.ttl, hold);
    if (renew) this.#watch ??= new Watch();
    if (this.#watch?.begin(lease, renew ? this.#queues.renewal(maxHold) : undefined)) lease.watcher = this.#watch;
    try {
      const wait = this.#queues.acquire(lease, terms, this);
      this.#lease = lease;
      return wait ?? Promise.resolve(this);
    } catch (error) {
      // What becomes of the hold before, whose release is under way, still concerns us.
      this.#watch?.stay(this.#lease);
      throw error;
    }
  }
}

/** The lease, if it is held at this moment. */
function heldNow(lease: Lease | undefined): Lease | undefined {
  return lease?.state === 'held' && lease.alive(performance.now()) ? lease : undefined;
}

function refuseIfBusy(key: string, lease: Lease | undefined): void {
  if (heldNow(lease))
    throw new LockStateError(`lock "${key}": this object holds it already; unlock it first, or use another object`);
  if (lease?.state === 'asking') {
    throw new LockStateError(
      `lock "${key}": another call on this object is waiting for it; await that, or use another object`,
    );
  }
}

function notHeld(key: string, lease: Lease | undefined): LockNotHeldError {
  return lease?.notHeld ?? new LockNotHeldError(key);
}

function blockEnded(key: string): LockStateError {
  return new LockStateError(`lock "${key}": what it was taken for ended while it was waited for; await its \`lock()\``);
}

function warnNotTaken(key: string): void {
  process.emitWarning(
    `lock "${key}": a block of \`await using\` ended whose lock was never asked for; write \`await using held = await …new(key, ttl).lock()\``,
    { type: 'LockWarning', code: 'LOCK_NOT_TAKEN' },
  );
}
