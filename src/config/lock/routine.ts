import type { Milliseconds } from '../../duration.js';
import { show, textOf } from '../../errors.js';
import { refuseDeadlock } from './deadlock.js';
import { LockLostError, LockNotHeldError, NotObtainedError } from './errors.js';
import { Lease, type Claim } from './lease.js';
import { Lock } from './lock.js';
import { isSingle, tryTerms, type LockTerms, type WaitTerms } from './options.js';
import type { KeyQueue } from './queue.js';
import { isLater } from './provider/store.js';
import type { Queues } from './queues.js';
import { release } from './release.js';
import { keepSettlers, letSettlersGo, settlers, type Settle } from './settlers.js';
import { Waiter, type InLine } from './waiter.js';

/**
 * What a routine that runs under a lock is given. Each member is made when it is first looked at, so that a copy by `...` has
 * none: take out what is wanted, as in `({ signal, fence }) => …`, or hand the whole on. A class, though nobody makes one, since
 * of a class TypeScript knows that.
 */
export declare abstract class Held {
  /** Aborted with `LockLostError` if the lock is lost while the routine runs: stop writing then. */
  abstract get signal(): AbortSignal;
  /** The fencing token of this hold, for storage that refuses stale writers. */
  abstract get fence(): bigint;
  /** The lock itself. */
  abstract get lock(): Lock;
}

/** What is done under a lock. */
export type Routine<T> = (held: Held) => T | PromiseLike<T>;

/** What `tryRun` tells: the routine's value, or that another had the key and it did not run. */
export type Outcome<T> = { readonly ran: true; readonly value: T } | { readonly ran: false };

/**
 * A routine that waits for its lock, and then runs under it. Its lease is made when the key is asked for, its lock when somebody
 * looks at it or renews it, and in memory it is renewed only if it is not done when it returns: most of what a routine may want it never does.
 */
export class Run<T> implements Claim, InLine {
  previous: InLine | undefined = undefined;
  next: InLine | undefined = undefined;
  /** While it stands in line itself. */
  #resolve: Settle | undefined = undefined;
  #place: KeyQueue | undefined = undefined;
  #lease: Lease | undefined = undefined;
  #lock: Lock | undefined = undefined;

  constructor(
    private readonly queues: Queues,
    readonly key: string,
    private readonly ttl: Milliseconds,
    readonly terms: LockTerms,
    private readonly routine: Routine<T>,
  ) {}

  get place(): KeyQueue | undefined {
    return this.#place;
  }

  set place(place: KeyQueue | undefined) {
    this.#place = place;
    if (this.#lease) this.#lease.place = place;
  }

  get lease(): Lease {
    if (this.#lease) return this.#lease;
    this.#lease = new Lease(this.key, this.ttl, this.terms.hold);
    this.#lease.place = this.#place;
    return this.#lease;
  }

  get lock(): Lock {
    const { queues, key, ttl, terms, lease } = this;
    return (this.#lock ??= new Lock(queues, key, ttl, terms, lease));
  }

  /** Itself where it can: thousands may wait, and each object that a hand-over has to look at is fetched from far away. */
  inLine(terms: WaitTerms, since: Milliseconds, atOnce: boolean): InLine {
    const endsOnlyByGrant = atOnce && terms.wait === undefined && !terms.retry && !terms.signal;
    return endsOnlyByGrant ? this : new Waiter(this, terms, since, atOnce, this);
  }

  // It stands in line itself only where the first time that it asks is the last, and no signal or time ends its wait.
  get single(): boolean {
    return false;
  }

  get hasAborted(): boolean {
    return false;
  }

  get notBefore(): Milliseconds {
    return 0;
  }

  get attempts(): number {
    return 0;
  }

  get settled(): boolean {
    return this.#resolve === undefined;
  }

  isOf(claim: Claim): boolean {
    return this === claim;
  }

  wait(): Promise<unknown> {
    const promise = new Promise<unknown>(keepSettlers);
    this.#resolve = settlers.resolve;
    letSettlersGo();
    return promise;
  }

  resolve(): void {
    this.settle(this);
  }

  reject(reason: unknown): void {
    this.settle(Promise.reject(reason));
  }

  /** Runs the routine as soon as the lock is held. */
  start(): Promise<T> {
    const { queues, terms } = this;
    if (terms.detectDeadlock && !isSingle(terms)) refuseDeadlock(queues, this.key);
    return this.take(terms).then(begin);
  }

  /**
   * Runs the routine if the lock is free.
   * @param atLeast how long the key stays taken, in milliseconds from now
   */
  async tryStart(atLeast: Milliseconds = 0): Promise<Outcome<T>> {
    try {
      await this.take(tryTerms(undefined, this.terms));
    } catch (error) {
      if (error instanceof NotObtainedError) return { ran: false };
      throw error;
    }
    if (atLeast > 0) this.queues.keep(this.lease, performance.now() + atLeast);
    return { ran: true, value: await this.begin() };
  }

  /** The lease is held: the routine's turn. */
  begin(): T | Promise<T> {
    const { lease } = this;
    // A stall between the grant and this statement may have outlived the lease: then the routine must not start.
    if (!lease.alive(this.queues.timeOf(lease))) this.lock.assertHeld();
    let value: T | PromiseLike<T>;
    try {
      value = this.routine(new HeldByRun(this));
      // Looking at what a routine gives may fail, too.
      if (isLater(value)) return this.awaitRoutine(value);
    } catch (error) {
      return this.failed(error);
    }
    const end = this.end();
    return end ? this.done(value, end) : value;
  }

  private settle(outcome: unknown): void {
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.(outcome);
  }

  private take(terms: WaitTerms): Promise<this> {
    if (this.terms.renew && !this.renewsLate) this.lock.keepAlive(this.lease, this.terms);
    return this.queues.acquire(this, terms, this) ?? Promise.resolve(this);
  }

  /** Whether it need not be renewed before its routine has returned; `maxHold` counts from the acquisition. */
  private get renewsLate(): boolean {
    return this.queues.store.alone === true && this.terms.maxHold === Infinity;
  }

  private async awaitRoutine(running: PromiseLike<T>): Promise<T> {
    if (this.renewsLate) this.lock.keepAlive(this.lease, this.terms);
    let value: T;
    try {
      value = await running;
    } catch (error) {
      return this.failed(error);
    }
    return this.done(value, this.end());
  }

  private async done(value: T, end: Promise<void> | undefined): Promise<T> {
    try {
      await end;
    } catch (failure) {
      warn(this.lock, 'is done', whyNotGivenBack(this.lock, failure));
    }
    return value;
  }

  private async failed(error: unknown): Promise<never> {
    try {
      await this.end();
    } catch (failure) {
      const why = whyNotGivenBack(this.lock, failure);
      // Who fails because of the loss has told it already, by its own error or, as Node's own calls do, by that of the abort.
      if (!isOf(why, error) && !isOf(why, (error as Error | undefined)?.cause)) warn(this.lock, 'failed', why);
    }
    throw error;
  }

  /** Gives the lock back, content with one that the routine has given back itself; undefined when that is done. */
  private end(): Promise<void> | undefined {
    const { queues, lease } = this;
    const left = queues.kept(lease);
    if (left > 0 && lease.alive(performance.now())) return this.lock.leave(left);
    return this.#lock ? this.#lock.giveBack() : release(queues, lease);
  }
}

class HeldByRun implements Held {
  readonly #run: Run<unknown>;

  constructor(run: Run<unknown>) {
    this.#run = run;
  }

  get signal(): AbortSignal {
    return this.lock.signal;
  }

  get fence(): bigint {
    return BigInt(this.#run.lease.fence);
  }

  get lock(): Lock {
    return this.#run.lock;
  }
}

function begin<T>(run: Run<T>): T | Promise<T> {
  return run.begin();
}

/** Whether an error tells of the same: of a loss `assertHeld` makes another one each time. */
function isOf(why: Error, error: unknown): boolean {
  return error === why || (error instanceof LockLostError && why instanceof LockLostError && error.key === why.key);
}

/** If it was lost, that; else what became of giving it back: of a store of one's own anything may. */
function whyNotGivenBack({ signal }: Lock, failure: unknown): Error {
  if (signal.aborted) return signal.reason as Error;
  if (!(failure instanceof Error)) return new Error(show(failure), { cause: failure });
  return failure instanceof LockNotHeldError && failure.cause instanceof LockLostError ? failure.cause : failure;
}

/** The outcome of the routine stands; that its lock did not end well must not pass silently either. */
function warn(lock: Lock, routine: string, why: Error): void {
  process.emitWarning(new LockWarning(lock.key, routine, why));
}

/** What Node prints, and what listeners of the process's event `warning` are given; the error is its cause. */
class LockWarning extends Error {
  override readonly name = 'LockWarning';
  readonly code: string;

  constructor(key: string, routine: string, cause: Error & { code?: unknown }) {
    const why = textOf(cause);
    super(`lock ${JSON.stringify(key)}: the routine ${routine}, but its lock was not given back: ${why}`, { cause });
    // That of somebody else's error may be anything, and Node prints it.
    this.code = typeof cause.code === 'string' ? cause.code : 'ERR_LOCK';
    // Where it is made tells nothing.
    this.stack = `${this.name}: ${this.message}`;
  }
}
