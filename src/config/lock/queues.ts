import { timerDelay, type Milliseconds } from '../../duration.js';
import { NotReadyError } from '../../errors.js';
import { CoarseClock } from './coarse_clock.js';
import { NotObtainedError, ProviderUnreachableError } from './errors.js';
import type { Claim, Lease } from './lease.js';
import { checkText, isSingle, LONGEST_TEXT, type WaitTerms } from './options.js';
import type { StoreCopy } from './provider/index.js';
import { isOwn, type Answer, type Asker, type LockStore } from './provider/store.js';
import { KeyQueue } from './queue.js';
import { Refreshes } from './refresh.js';
import { Renewal, Renewals, type LeaseRenewal, type RenewalFigures } from './renewal.js';
import { RenewalThread, startThread } from './thread/thread.js';

/** So many keys are remembered before those that are neither held nor waited for are forgotten: used keys are used again. */
const SWEEP_FROM = 16_384;

/** The keys of one factory, in front of its store: who of this process holds each, and who waits for it. */
export class Queues {
  /** Of an `OwnStore`. */
  readonly #clock: CoarseClock | undefined;
  readonly #keys = new Map<string, KeyQueue>();
  #sweeper: MapIterator<[string, KeyQueue]> | undefined;
  #closed: NotReadyError | undefined;
  readonly #refreshes: Refreshes;
  #renewals: Renewals | undefined;
  #kept: WeakMap<Lease, Milliseconds> | undefined;
  readonly #thread: RenewalThread | undefined;

  /**
   * @param copy leases are renewed from a thread of its own, which opens the store by this
   * @param start starts that thread
   */
  constructor(
    readonly store: LockStore,
    copy?: StoreCopy,
    start = startThread,
  ) {
    if (store.alone) this.#clock = new CoarseClock();
    const moved = (lease: Lease): void => lease.place?.serve();
    const lose = (lease: Lease): void => this.lose(lease);
    this.#refreshes = new Refreshes(store, { moved, gone: lose, isTakenOver: (lease) => this.#isTakenOver(lease) });
    const renewal = (maxHold: Milliseconds): Renewal => this.#renewalHere(maxHold);
    if (copy) this.#thread = new RenewalThread(copy, { provider: store.provider, moved, lose, renewal }, start);
  }

  /** Why nothing can be asked any more; undefined while the factory is open. */
  get closed(): NotReadyError | undefined {
    return this.#closed;
  }

  /** Settles when all that it needs runs. */
  get ready(): Promise<void> {
    return this.#thread?.ready ?? Promise.resolve();
  }

  /** How many keys are remembered: those held or waited for, and some that were. */
  get size(): number {
    return this.#keys.size;
  }

  /**
   * Makes the lease held.
   * @param value what a wait resolves with
   * @returns undefined when it is held already, else the wait
   */
  acquire<T>(claim: Claim, terms: WaitTerms, value: T): Promise<T> | undefined {
    if (this.#closed) throw this.#closed;
    if (terms.signal?.aborted) throw terms.signal.reason;
    const now = this.#clock ? this.#clock.now() : performance.now();
    const place = (claim.place = this.#keys.get(claim.key) ?? this.#open(claim.key, now));
    if (isOwn(this.store) && place.free(now)) {
      const { lease } = claim;
      const { fence, until } = this.store.obtain(lease, now);
      place.holder = lease;
      lease.grant(fence, until, this.#clock?.stretch);
      return undefined;
    }
    return this.#stand(place, claim, terms, now, value);
  }

  /** Now, as far as the hold of `lease` is concerned; on `performance.now()`. */
  timeOf(lease: Lease | undefined): Milliseconds {
    return this.#clock && lease ? this.#clock.since(lease.stretch) : performance.now();
  }

  /**
   * Frees what the lease holds.
   * @param asker who may be told the answer after this returned undefined
   * @returns false when the provider says that it did not hold it any more
   */
  release(lease: Lease, now = performance.now(), asker?: Asker<boolean>): Answer<boolean> | undefined {
    const { place } = lease;
    const answer = this.#free(lease, now, asker);
    // The next in line asks right behind the release, on the same way.
    if (place?.holder === lease) place.freed(now);
    return answer;
  }

  /** Nobody wants any more what is still waited for. */
  withdraw(claim: Claim, reason: unknown): void {
    claim.place?.withdraw(claim, reason);
  }

  /**
   * Gives the lease the lifetime `ttl` from now.
   * @throws {LockNotHeldError} it is not held any more, and stays so
   */
  refresh(lease: Lease, ttl: Milliseconds): Promise<void> {
    lease.longest = Math.max(lease.longest, ttl);
    return this.#thread?.refresh(lease, ttl) ?? this.#refreshes.refresh(lease, ttl);
  }

  /** The same for a renewal, whose answer is worth while within `limit` milliseconds, and of which several may be on their way. */
  renew(lease: Lease, ttl: Milliseconds, limit: Milliseconds): Promise<void> {
    return this.#refreshes.renew(lease, ttl, limit);
  }

  /** The key of the lease stays taken until `until`, also when the factory closes. */
  keep(lease: Lease, until: Milliseconds): void {
    (this.#kept ??= new WeakMap()).set(lease, until);
  }

  /** The lifetime that is left of what `keep` said, as the provider takes it; 0 when nothing is. */
  kept(lease: Lease): Milliseconds {
    const until = this.#kept?.get(lease);
    const left = until === undefined ? 0 : until - performance.now();
    return left > 0 ? Math.max(this.store.shortestTtl, Math.ceil(left)) : 0;
  }

  /** Keeps a lease alive that was given to it. */
  renewal(maxHold: Milliseconds): LeaseRenewal {
    return this.#thread?.renewal(maxHold) ?? this.#renewalHere(maxHold);
  }

  get renewalFigures(): RenewalFigures {
    const here = (this.#renewals ??= new Renewals(this)).figures;
    const there = this.#thread?.figures;
    if (!there) return here;
    // Some are renewed here all the same: both count, and of either the worse.
    return {
      leases: there.leases + here.leases,
      rounds: there.rounds + here.rounds,
      lag: Math.max(there.lag, here.lag),
      maxLag: Math.max(there.maxLag, here.maxLag),
      leastLeft: Math.min(there.leastLeft, here.leastLeft),
    };
  }

  /** The provider has no such hold any more. */
  lose(lease: Lease): void {
    lease.lose('taken');
    if (lease.place?.holder === lease) lease.place.freed(performance.now());
  }

  /**
   * Rejects every wait, releases every hold, closes the store.
   * @param limit milliseconds for all of it
   */
  async close(limit: Milliseconds): Promise<void> {
    this.#closed = new NotReadyError('lock: the lock factory is closed; set the container up again, or open another');
    const started = performance.now();
    const answers: Promise<unknown>[] = [];
    const places = [...this.#keys.values()];
    this.#keys.clear();
    for (const { holder: lease } of places) {
      if (!lease?.alive(started)) continue;
      lease.lose('closed');
      const left = this.kept(lease);
      // A store of one's own may throw where it should reject.
      const end = async () => (left > 0 ? this.store.refresh(lease, left) : this.store.release(lease));
      answers.push(end());
    }
    // Whoever hears of the end may end the process by that, as an error at the top of a module does: what is given back has left by then.
    const flush = async () => this.store.flush?.();
    answers.push(flush());
    for (const place of places) place.rejectAll(this.#closed);
    this.#renewals?.close();
    const outcomes = await Promise.allSettled(answers.map((answer) => within(limit, answer, this.store.provider)));
    await this.#thread?.close();
    await this.store.close(Math.max(0, limit - (performance.now() - started)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  /** Somebody else may have the key: gets in line. */
  #stand<T>(place: KeyQueue, claim: Claim, terms: WaitTerms, now: Milliseconds, value: T): Promise<T> {
    // Who does not wait until it is given the key is told by the true time.
    const came = terms.retry || terms.wait !== undefined ? performance.now() : now;
    if (isSingle(terms) && (place.waitedFor || place.held(came))) throw new NotObtainedError(claim.key, 0);
    return place.join(claim, terms, came, value);
  }

  #free(lease: Lease, now: Milliseconds, asker?: Asker<boolean>): Answer<boolean> | undefined {
    const { place } = lease;
    // A store of one's own may throw where it should reject.
    try {
      if (this.store.alone) return this.store.release(lease);
      const isAgain = place?.holder !== lease;
      // Asked again after a release that was not answered.
      if (isAgain && this.#isTakenOver(lease)) return true;
      if (isAgain) return this.store.release(lease, false, asker);
      // Under the same token, what is on its way for this lease would find the next one's hold, and may shorten it.
      const isAsked = this.#refreshes.isAsked(lease) || this.#thread?.renews(lease);
      const passed = !isAsked && place.passOn(now);
      return passed || this.store.release(lease, place.followed, asker);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Whether another lease has the hold now, under the same token. */
  #isTakenOver(lease: Lease): boolean {
    // The place that the lease knows may have been forgotten since, as one that is free.
    const holder = this.#keys.get(lease.key)?.holder;
    return holder !== undefined && holder !== lease && holder.state === 'held' && holder.value === lease.value;
  }

  #open(key: string, now: Milliseconds): KeyQueue {
    // A key that is known was looked at when it came.
    checkText('key', key, 1, LONGEST_TEXT);
    if (this.#keys.size >= SWEEP_FROM) this.#sweep(now);
    const place = new KeyQueue(this.store, this.#clock);
    this.#keys.set(key, place);
    return place;
  }

  #renewalHere(maxHold: Milliseconds): Renewal {
    return new Renewal((this.#renewals ??= new Renewals(this)), maxHold);
  }

  /** Two steps round the map for each new key, so that keys leave as others come, without any timer. */
  #sweep(now: number): void {
    for (let step = 0; step < 2; step += 1) {
      this.#sweeper ??= this.#keys.entries();
      const { value, done } = this.#sweeper.next();
      if (done) this.#sweeper = undefined;
      else if (value[1].free(now)) this.#keys.delete(value[0]);
    }
  }
}

/** An answer that may not take longer than `limit` milliseconds; its timer ends with it. */
async function within<T>(limit: Milliseconds, answer: Promise<T>, provider: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ProviderUnreachableError(provider, limit)), timerDelay(limit));
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
