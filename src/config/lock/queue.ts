import { durationText, timerDelay, type Milliseconds } from '../../duration.js';
import { InvalidArgumentError } from '../../errors.js';
import { Chain } from './chain.js';
import type { CoarseClock } from './coarse_clock.js';
import { ProviderUnreachableError } from './errors.js';
import type { Claim, Lease } from './lease.js';
import type { WaitTerms } from './options.js';
import { abandon, isLater, isOwn, type Grant, type LockStore, type Refusal } from './provider/store.js';
import type { InLine, Waiter, WaiterHost } from './waiter.js';

/**
 * So many grants of one waiter that came too late, one after the other, are no stall any more: its ttl is shorter than the way
 * to the provider and back.
 */
const LATE_ENOUGH = 3;

/** The shortest pause after a refusal: a store that advises none would be asked without end in one turn of the event loop. */
const SHORTEST_PAUSE = 1;

/** The one timer of a queue. */
class Alarm {
  timer: NodeJS.Timeout | undefined = undefined;

  /** @param at when it is due, on `performance.now()` */
  constructor(readonly at: Milliseconds) {}
}

/**
 * One key, as this process sees it: who of us holds it, and the line of those who want it, first come, first served. The head
 * alone talks to the provider, and nobody does while a hold of ours is alive. It is a chain instead of having one, for where thousands
 * of keys are waited for, each object that a hand-over has to look at is fetched from far away.
 */
export class KeyQueue extends Chain<InLine> implements WaiterHost {
  holder: Lease | undefined = undefined;
  /** What the store remembers of the key. */
  memo: unknown = undefined;
  /** The waiter whose question is under way. */
  #asking: Waiter | undefined;
  /** Whether what it asked was abandoned, though the waiter stays: it asks anew once that is over. */
  #isUndone = false;
  /** When the provider last answered a question of this queue. */
  #heard = -Infinity;
  /** For whatever comes next: the end of our own hold, or the time to ask again. */
  #alarm: Alarm | undefined;

  constructor(
    private readonly store: LockStore,
    private readonly clock?: CoarseClock,
  ) {
    super();
  }

  /** Whether one of us holds it at `now`. */
  held(now: Milliseconds): boolean {
    return this.holder !== undefined && this.holder.alive(now);
  }

  /** Neither held by us at `now`, nor waited for, nor asked for. */
  free(now: Milliseconds): boolean {
    return this.head === undefined && this.#asking === undefined && !this.held(now);
  }

  /** Whether somebody stands in line for longer than a single try. */
  get waitedFor(): boolean {
    // Who tries once does not stand behind one who waits.
    return this.tail !== undefined && !this.tail.single;
  }

  /** Whether the next in line will ask as soon as our hold has ended, and stay until it is told. */
  get followed(): boolean {
    const { head } = this;
    return head !== undefined && !head.single && !head.terms.retry;
  }

  /** Stands in line. */
  join<T>(claim: Claim, terms: WaitTerms, now: number, value: T): Promise<T> {
    const waiter = claim.inLine(terms, now, isOwn(this.store), value);
    const done = waiter.wait();
    this.push(waiter);
    // Who stands behind others has nothing to be done for, but what is done for them.
    if (this.head === waiter) this.serve(now);
    if (terms.retry && !waiter.single && !waiter.settled && this.#asking !== waiter && waiter.notBefore === 0)
      this.#missed(asks(waiter));
    return done as Promise<T>;
  }

  /** Hands our hold on to the next in line without asking the provider; whether that was possible. */
  passOn(now: number): boolean {
    const head = this.#next();
    const { holder } = this;
    if (!head || !holder || !this.store.pass) return false;
    const grant = this.store.pass(holder, head.lease, now);
    if (!grant) return false;
    checkGrant(grant);
    head.lease.takeOver(holder);
    this.#granted(asks(head), grant, now);
    this.serve(now);
    return true;
  }

  /** Our hold has ended: the next in line asks at once, and need not wait for any timer. */
  freed(now: number): void {
    const { holder } = this;
    this.holder = undefined;
    const head = this.#next();
    if (!head) return this.#rest();
    if (!isOwn(this.store)) {
      asks(head).notBefore = 0;
      return this.serve(now);
    }
    this.#ask(head, now);
    // For those behind it the timer of the hold before does, unless this one ends sooner.
    if (!this.head) this.#rest();
    else if (this.holder!.until < holder!.until) this.#arm(this.holder!.until);
  }

  /** Does what can be done now for the head of the queue; the one loop that waits. */
  serve(now = performance.now()): void {
    for (let head = this.#next(); head && !this.#asking; head = this.#next()) {
      if (this.held(now)) {
        if (!head.single) return this.#arm(this.holder!.until);
        this.#refuse(asks(head), now);
      } else if (head.notBefore > now) {
        return this.#arm(head.notBefore);
      } else {
        this.holder = undefined;
        this.#ask(head, now);
      }
    }
    if (!this.head) this.#rest();
  }

  /** Rejects everybody in line. */
  rejectAll(reason: unknown): void {
    for (let waiter = this.head; waiter; waiter = this.head) this.#drop(waiter, reason);
    this.#rest();
  }

  /** Ends the wait of one in line. */
  withdraw(claim: Claim, reason: unknown): void {
    for (const waiter of this) if (waiter.isOf(claim)) this.#drop(waiter, reason);
    this.serve();
  }

  gaveUp(waiter: Waiter): void {
    this.#leave(waiter);
    this.serve();
  }

  answered(waiter: Waiter, answer: Grant | Refusal, now = performance.now()): void {
    // A store of the application's own may tell it twice, and nonsense.
    if (waiter !== this.#asking) return;
    try {
      this.#answered(waiter, answer, now);
    } catch (error) {
      this.#failed(waiter, error);
    }
    this.serve(now);
  }

  failed(waiter: Waiter, error: unknown): void {
    if (waiter !== this.#asking) return;
    this.#failed(waiter, error);
    this.serve();
  }

  given(waiter: Waiter, grant: Grant): void {
    if (waiter.settled) return;
    try {
      checkGrant(grant);
    } catch (error) {
      this.#drop(waiter, error);
      return this.serve();
    }
    this.#granted(waiter, grant, performance.now());
    // That is its answer, though one may be told all the same.
    if (waiter.granted && waiter === this.#asking) this.#asking = undefined;
    this.serve();
  }

  askAgain(waiter: Waiter): void {
    waiter.notBefore = 0;
    this.serve();
  }

  refused(): void {
    this.#heard = performance.now();
  }

  tick(waiter: Waiter): void {
    // Once it has asked the provider itself, `notBefore` says when to ask again.
    if (this.#asking !== waiter && waiter.notBefore === 0) this.#missed(waiter);
  }

  waitOver(waiter: Waiter): Error {
    const now = performance.now();
    const asking = this.#asking;
    if (!asking || this.#heard >= waiter.since || this.held(now)) return this.#failure(waiter, now);
    return new ProviderUnreachableError(this.store.provider, now - waiter.since, this.#trouble(asking));
  }

  #trouble({ lease }: Waiter): Error | undefined {
    try {
      return this.store.trouble?.(lease);
    } catch (error) {
      return error as Error;
    }
  }

  #failure(waiter: Waiter, now: number): Error {
    if (waiter.late === 0) return waiter.notObtained(now);
    const ttl = durationText(waiter.lease.ttl);
    const why = `the key was granted, but its ttl of ${ttl} was over when the answer came: without a stall, it is too short`;
    return new ProviderUnreachableError(this.store.provider, now - waiter.since, new Error(why));
  }

  /** The head of the line. One whose signal has aborted, though nobody has told us yet, is out. */
  #next(): InLine | undefined {
    let { head } = this;
    for (; head?.hasAborted; head = this.head) this.#drop(head, head.terms.signal!.reason);
    return head;
  }

  #drop(waiter: InLine, reason: unknown): void {
    waiter.reject(reason);
    this.#leave(waiter);
  }

  /** It is out of the line, and gets nothing any more. */
  #leave(waiter: InLine): void {
    this.remove(waiter);
    // A question on its way may still be granted, as may one who stands in line there: the undoing follows on the same way.
    if (waiter === this.#asking || waiter.attempts > 0) abandon(this.store, waiter.lease);
  }

  #ask(head: InLine, now: number): void {
    // A store of the application's own may throw where it should reject, or answer nonsense.
    try {
      if (isOwn(this.store)) return this.#give(head, this.store.obtain(head.lease, now));
      const waiter = asks(head);
      this.#asking = waiter;
      this.#isUndone = false;
      const line = waiter.single || waiter.terms.retry ? undefined : waiter;
      const answer = this.store.obtain(waiter.lease, now, line, waiter);
      if (isLater(answer)) void this.#await(waiter, answer);
      else if (answer !== undefined && waiter === this.#asking) this.#answered(waiter, answer, now);
    } catch (error) {
      this.#failed(head, error);
    }
  }

  async #await(waiter: Waiter, answer: PromiseLike<Grant | Refusal>): Promise<void> {
    try {
      this.answered(waiter, await answer);
    } catch (error) {
      this.failed(waiter, error);
    }
  }

  #answered(waiter: Waiter, answer: Grant | Refusal, now: number): void {
    // Nonsense leaves the question open, for it may still be granted.
    const { granted } = answer;
    if (granted) checkGrant(answer);
    this.#asking = undefined;
    this.#heard = now;
    if (this.#isUndone) return;
    if (granted) this.#granted(waiter, answer, now);
    else this.#refused(waiter, answer, now);
  }

  #granted(waiter: Waiter, grant: Grant, now: number): void {
    // The store may have given it the key while this answer was on its way.
    if (waiter.granted) return;
    if (waiter.hasAborted) this.#reject(waiter, waiter.terms.signal!.reason);
    if (waiter.settled || grant.until <= now) {
      if (waiter === this.#asking) this.#isUndone = true;
      abandon(this.store, waiter.lease);
      if (!waiter.settled) this.#tooLate(waiter, now);
      return;
    }
    this.#give(waiter, grant);
  }

  /** The key is the waiter's. */
  #give(waiter: InLine, { fence, until }: Grant): void {
    const { lease } = waiter;
    this.remove(waiter);
    this.holder = lease;
    lease.grant(fence, until, this.clock?.stretch);
    waiter.resolve();
  }

  /** What it was granted had run out when the answer came: that counts as a try that failed. */
  #tooLate(waiter: Waiter, now: number): void {
    waiter.late += 1;
    // The undoing, whenever it arrives, must not find what it is given the next time.
    waiter.lease.rename();
    if (waiter.single || waiter.late === LATE_ENOUGH) return this.#refuse(waiter, now);
    if (waiter.terms.retry) this.#restAfter(waiter, now);
    // What it was told when it last asked is no news any more.
    else waiter.notBefore = 0;
  }

  /** Who rests does not ask, also not because its strategy has another one leave the line. */
  #restAfter(waiter: Waiter, now: number, refusal?: Refusal): void {
    waiter.notBefore = Infinity;
    waiter.notBefore = now + this.#pause(waiter, refusal);
  }

  #refused(asked: Waiter, refusal: Refusal, now: number): void {
    asked.late = 0;
    if (asked.single && !asked.settled) this.#refuse(asked, now);
    else if (!asked.settled) this.#restAfter(asked, now, refusal);
    // A single try that came before the question was sent has its answer, too: the key was another's after it came.
    for (let head = this.head; head?.single && asks(head).since <= refusal.asked; head = this.head) {
      this.#refuse(asks(head), now);
    }
  }

  /** A waiter that polls could not even ask: a hold of ours is alive, or others stand before it. */
  #missed(waiter: Waiter): void {
    const pause = this.#pause(waiter);
    if (pause > 0) waiter.tickAfter(pause);
    else this.serve();
  }

  /**
   * Milliseconds until the next try after a failed one; a waiter whose strategy gives up is out, and it is 0.
   * @param refusal may be left out for one with a strategy
   */
  #pause(waiter: Waiter, refusal?: Refusal): number {
    waiter.attempts += 1;
    try {
      const { retry } = waiter.terms;
      const pause = retry ? retry.next(waiter.attempts) : this.store.pause(refusal!, waiter.attempts);
      // A promise is no pause; what becomes of it is told to nobody.
      if (isLater<unknown>(pause)) Promise.resolve(pause).catch(() => undefined);
      // A strategy is not ours: it may have ended the wait itself.
      if (waiter.settled) return 0;
      if (typeof pause !== 'number' || Number.isNaN(pause)) {
        if (retry) throw new InvalidArgumentError('retry.next', pause, 'milliseconds; 0 or less gives up');
        throw new InvalidArgumentError('store.pause', pause, 'milliseconds');
      }
      if (!retry) return Math.max(SHORTEST_PAUSE, pause);
      if (pause > 0) return pause;
    } catch (error) {
      this.#drop(waiter, error);
      return 0;
    }
    this.#refuse(waiter, performance.now());
    return 0;
  }

  #failed(waiter: InLine, error: unknown): void {
    // Who gave up has seen to its own undoing, and his failure says nothing to the others. Else nobody behind would fare
    // better: their question would be the same.
    if (!waiter.settled && !this.#isUndone) this.rejectAll(error);
    // Who was answered, and threw all the same, may have had the next one ask.
    if (waiter === this.#asking) this.#asking = undefined;
  }

  #refuse(waiter: Waiter, now: number): void {
    this.#reject(waiter, this.#failure(waiter, now));
  }

  #reject(waiter: InLine, reason: unknown): void {
    this.remove(waiter);
    waiter.reject(reason);
  }

  /** Nobody waits: no timer. */
  #rest(): void {
    if (this.#alarm === undefined) return;
    clearTimeout(this.#alarm.timer);
    this.#alarm = undefined;
  }

  /** Sees to it that `serve` runs at `at`; a timer that is set for earlier stays and is set anew when it fires. */
  #arm(at: Milliseconds): void {
    if (this.#alarm !== undefined && this.#alarm.at <= at) return;
    this.#rest();
    const alarm = (this.#alarm = new Alarm(at));
    alarm.timer = setTimeout(
      () => {
        this.#alarm = undefined;
        this.serve();
      },
      timerDelay(at - performance.now()),
    );
  }
}

/** Who stands in line where a store is asked that others have, too, or tries once, or polls: a `Waiter`. */
function asks(one: InLine): Waiter {
  return one as Waiter;
}

/** Nonsense of a store of the application's own would be a lock that is not held, or a fence that cannot be told. */
function checkGrant({ fence, until }: Grant): void {
  if (!Number.isSafeInteger(fence)) throw new InvalidArgumentError('grant.fence', fence, 'a whole number below 2^53');
  if (typeof until !== 'number' || Number.isNaN(until))
    throw new InvalidArgumentError('grant.until', until, 'milliseconds on performance.now()');
}
