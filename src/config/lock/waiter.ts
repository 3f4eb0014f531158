import { timerDelay, type Milliseconds } from '../../duration.js';
import { ignoreAbort, onAbort, type Abortable } from './abort.js';
import { Chain, type Link } from './chain.js';
import { NotObtainedError } from './errors.js';
import type { Lease } from './lease.js';
import type { WaitTerms } from './options.js';
import type { Asker, Grant, Line, Refusal } from './provider/store.js';
import { keepSettlers, settlers } from './settlers.js';

/** What a waiter tells the queue it stands in. */
export interface WaiterHost {
  /** The store has answered its question. */
  answered(waiter: Waiter, answer: Grant | Refusal): void;
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

/** A caller that wants a key: a link of its queue's chain, the end of its wait, and its promise. */
export class Waiter implements Line, Link<Waiter>, Asker<Grant | Refusal>, Abortable {
  previous: Waiter | undefined;
  next: Waiter | undefined;
  /** How many tries have failed. */
  attempts = 0;
  /** Not to ask again before this time, on `performance.now()`. */
  notBefore = 0;
  settled = false;
  /** How many of its last tries were granted too late to be of use. */
  late = 0;
  /** Whether it got what it waited for. */
  granted = false;
  #end: NodeJS.Timeout | undefined;
  #tick: NodeJS.Timeout | undefined;
  #resolve!: (value: unknown) => void;
  #reject!: (reason: unknown) => void;

  /**
   * @param single one try: refused as soon as somebody else has the key
   * @param since when it came, on `performance.now()`
   * @param value what the wait resolves with
   */
  constructor(
    private readonly host: WaiterHost,
    readonly lease: Lease,
    readonly terms: WaitTerms,
    readonly single: boolean,
    readonly since: number,
    private readonly value: unknown,
  ) {}

  get followed(): boolean {
    return this.next !== undefined;
  }

  answered(answer: Grant | Refusal): void {
    this.host.answered(this, answer);
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
    this.#reject = settlers.reject;
    if (this.terms.signal) onAbort(this.terms.signal, this);
    if (!this.single && this.terms.wait !== undefined) this.#armEnd(this.since + this.terms.wait, this.since);
    return promise;
  }

  resolve(): void {
    this.#leave();
    this.#resolve(this.value);
  }

  reject(reason: unknown): void {
    this.#leave();
    if (this.lease.state === 'asking') this.lease.state = 'ended';
    this.#reject(reason);
  }

  notObtained(now: number): NotObtainedError {
    return new NotObtainedError(this.lease.key, this.single ? 0 : Math.round(now - this.since));
  }

  tickAfter(ms: number): void {
    this.#tick = setTimeout(() => this.host.tick(this), timerDelay(ms));
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

  #armEnd(end: Milliseconds, now: Milliseconds): void {
    this.#end = setTimeout(
      () => {
        const later = performance.now();
        // A timer may fire up to a millisecond early, and a long wait takes several timers.
        if (later < end) return this.#armEnd(end, later);
        this.reject(this.host.waitOver(this));
        this.host.gaveUp(this);
      },
      timerDelay(end - now),
    );
  }

  #leave(): void {
    this.settled = true;
    if (this.#end) clearTimeout(this.#end);
    if (this.#tick) clearTimeout(this.#tick);
    if (this.terms.signal) ignoreAbort(this.terms.signal, this);
  }
}

/** The waiters of one key. */
export class Waiters extends Chain<Waiter> {
  /** How many of them want more than a single try. */
  patient = 0;

  override push(waiter: Waiter): boolean {
    const came = super.push(waiter);
    if (came && !waiter.single) this.patient += 1;
    return came;
  }

  override remove(waiter: Waiter): boolean {
    const stood = super.remove(waiter);
    if (stood && !waiter.single) this.patient -= 1;
    return stood;
  }
}
