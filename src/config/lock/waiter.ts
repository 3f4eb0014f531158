import { timerDelay, type Milliseconds } from '../../duration.js';
import { ignoreAbort, onAbort, type Abortable } from './abort.js';
import type { Link } from './chain.js';
import { NotObtainedError } from './errors.js';
import type { Claim, Lease } from './lease.js';
import { isSingle, type WaitTerms } from './options.js';
import type { Asker, Grant, Line, Refusal } from './provider/store.js';
import { keepSettlers, letSettlersGo, settlers, type Settle } from './settlers.js';

/** What a waiter tells the queue it stands in. */
export interface WaiterHost {
  /** The store has answered its question. */
  answered(waiter: Waiter, answer: Grant | Refusal, now?: Milliseconds): void;
  /** Its question stays without an answer. */
  failed(waiter: Waiter, error: unknown): void;
  /** The store gives it the key. */
  given(waiter: Waiter, grant: Grant): void;
  /** The store says that asking is worth while. */
  askAgain(waiter: Waiter): void;
  /** The store knows that another has the key. */
  refused(): void;
  /** The caller has given up; `waiter` is settled already. */
  gaveUp(waiter: Waiter): void;
  /** The pause of a waiter that polls by a strategy is over. */
  tick(waiter: Waiter): void;
  /** The error for a wait that is over: the key stayed with another, or the provider never answered. */
  waitOver(waiter: Waiter): Error;
}

/**
 * Who stands in the line of a key: a `Waiter`, or, where a store that nobody else has grants whatever it is asked, a routine itself that
 * waits without an end of its own.
 */
export interface InLine extends Link<InLine> {
  readonly lease: Lease;
  readonly terms: WaitTerms;
  /** Whether it is refused as soon as somebody else has the key. */
  readonly single: boolean;
  /** Not to ask again before this time, on `performance.now()`. */
  readonly notBefore: Milliseconds;
  /** How many tries have failed. */
  readonly attempts: number;
  readonly settled: boolean;
  /** Whether its signal is aborted already, though that may not have been told: other listeners may be in front of it. */
  readonly hasAborted: boolean;
  isOf(claim: Claim): boolean;
  /** Settles with the wait: resolves when the lease is held. */
  wait(): Promise<unknown>;
  resolve(): void;
  reject(reason: unknown): void;
}

/** What a waiter needs that may ask more than once, or wait for so long; where thousands just wait, each byte of them counts. */
class Pace {
  attempts = 0;
  notBefore: Milliseconds = 0;
  late = 0;
  end: NodeJS.Timeout | undefined;
  tick: NodeJS.Timeout | undefined;

  constructor(readonly since: Milliseconds) {}
}

/**
 * A caller that wants a key: a link of its queue's chain, the end of its wait, and its promise. Here and where else there may be
 * thousands of something, methods are `private` instead of `#`: those would leave a mark in each object.
 */
export class Waiter implements InLine, Line, Asker<Grant | Refusal>, Abortable {
  previous: InLine | undefined;
  next: InLine | undefined;
  #outcome: 'granted' | 'rejected' | undefined = undefined;
  /** Its pace; while nothing more of that is known, when it came, on `performance.now()`. */
  #pace: Pace | Milliseconds | undefined = undefined;
  #resolve!: Settle;

  /**
   * @param claim in whose place it stands in line
   * @param since when it came, on `performance.now()`
   * @param atOnce whether it is granted the key whenever it asks
   * @param value what the wait resolves with
   */
  constructor(
    private readonly claim: Claim,
    readonly terms: WaitTerms,
    since: Milliseconds,
    atOnce: boolean,
    private readonly value: unknown,
  ) {
    if (!atOnce || terms.wait !== undefined || terms.retry) this.#pace = since;
  }

  /** Whether it is refused as soon as somebody else has the key. */
  get single(): boolean {
    return isSingle(this.terms);
  }

  get settled(): boolean {
    return this.#outcome !== undefined;
  }

  /** Whether it got what it waited for. */
  get granted(): boolean {
    return this.#outcome === 'granted';
  }

  /** When it came, on `performance.now()`. */
  get since(): Milliseconds {
    return typeof this.#pace === 'number' ? this.#pace : this.pace.since;
  }

  get lease(): Lease {
    return this.claim.lease;
  }

  isOf(claim: Claim): boolean {
    return this.claim === claim;
  }

  /** How many tries have failed. */
  get attempts(): number {
    return this.knownPace?.attempts ?? 0;
  }

  set attempts(attempts: number) {
    this.pace.attempts = attempts;
  }

  /** Not to ask again before this time, on `performance.now()`. */
  get notBefore(): Milliseconds {
    return this.knownPace?.notBefore ?? 0;
  }

  set notBefore(time: Milliseconds) {
    if (this.knownPace || time > 0) this.pace.notBefore = time;
  }

  /** How many of its last tries were granted too late to be of use. */
  get late(): number {
    return this.knownPace?.late ?? 0;
  }

  set late(late: number) {
    if (this.knownPace || late > 0) this.pace.late = late;
  }

  private get host(): WaiterHost {
    return this.claim.place!;
  }

  private get knownPace(): Pace | undefined {
    return typeof this.#pace === 'object' ? this.#pace : undefined;
  }

  /** Made when it is first wanted. */
  private get pace(): Pace {
    if (typeof this.#pace === 'object') return this.#pace;
    return (this.#pace = new Pace(this.#pace ?? performance.now()));
  }

  get followed(): boolean {
    return this.next !== undefined;
  }

  answered(answer: Grant | Refusal, now?: Milliseconds): void {
    this.host.answered(this, answer, now);
  }

  failed(error: unknown): void {
    this.host.failed(this, error);
  }

  grant(grant: Grant): void {
    this.host.given(this, grant);
  }

  ask(): void {
    this.host.askAgain(this);
  }

  refused(): void {
    this.host.refused();
  }

  /** Settles with the wait: resolves when the lease is held. */
  wait(): Promise<unknown> {
    const promise = new Promise<unknown>(keepSettlers);
    this.#resolve = settlers.resolve;
    letSettlersGo();
    if (this.terms.signal) onAbort(this.terms.signal, this);
    if (this.terms.wait) this.armEnd(this.since + this.terms.wait, this.since);
    return promise;
  }

  resolve(): void {
    this.leave('granted');
    this.#resolve(this.value);
  }

  reject(reason: unknown): void {
    // Who is asked for a reason may have ended the wait himself.
    if (this.settled) return;
    this.leave('rejected');
    if (this.lease.state === 'asking') this.lease.end();
    // Few waits fail: without a function of its own for that, every waiter is a twelfth smaller.
    this.#resolve(Promise.reject(reason));
  }

  notObtained(now: number): NotObtainedError {
    return new NotObtainedError(this.claim.key, this.single ? 0 : Math.round(now - this.since));
  }

  tickAfter(ms: number): void {
    this.pace.tick = setTimeout(() => this.host.tick(this), timerDelay(ms));
  }

  /** Whether its signal is aborted already, though that may not have been told: other listeners may be in front of it. */
  get hasAborted(): boolean {
    return this.terms.signal?.aborted === true && !this.settled;
  }

  /** Its signal aborts. */
  aborted(): void {
    this.reject(this.terms.signal?.reason);
    this.host.gaveUp(this);
  }

  private armEnd(end: Milliseconds, now: Milliseconds): void {
    this.pace.end = setTimeout(
      () => {
        const later = performance.now();
        // A timer may fire up to a millisecond early, and a long wait takes several timers.
        if (later < end) return this.armEnd(end, later);
        const why = this.host.waitOver(this);
        // A store that was asked about it may have ended the wait itself.
        if (this.settled) return;
        this.reject(why);
        this.host.gaveUp(this);
      },
      timerDelay(end - now),
    );
  }

  private leave(outcome: 'granted' | 'rejected'): void {
    this.#outcome = outcome;
    if (typeof this.#pace === 'object') {
      clearTimeout(this.#pace.end);
      clearTimeout(this.#pace.tick);
    }
    if (this.terms.signal) ignoreAbort(this.terms.signal, this);
  }
}
