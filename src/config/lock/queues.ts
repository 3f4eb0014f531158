import type { Milliseconds } from '../../duration.js';
import { NotReadyError } from '../../errors.js';
import { LockNotHeldError, NotObtainedError, ProviderUnreachableError } from './errors.js';
import type { Lease } from './lease.js';
import type { WaitTerms } from './options.js';
import type { Answer, LockStore } from './provider/store.js';
import { KeyQueue } from './queue.js';

/** So many keys are remembered before those that are neither held nor waited for are forgotten: used keys are used again. */
const SWEEP_FROM = 16_384;

/** The queues of one factory, one for every key that is held or waited for, in front of its store. */
export class Queues {
  readonly #queues = new Map<string, KeyQueue>();
  #sweeper: MapIterator<[string, KeyQueue]> | undefined;
  #closed: NotReadyError | undefined;

  constructor(readonly store: LockStore) {}

  /** Why nothing can be asked any more; undefined while the factory is open. */
  get closed(): NotReadyError | undefined {
    return this.#closed;
  }

  /** How many keys are remembered: those held or waited for, and some that were. */
  get size(): number {
    return this.#queues.size;
  }

  /**
   * Makes the lease held.
   * @param once one try instead of a wait
   * @param value what a wait resolves with
   * @returns undefined when it is held already, else the wait
   */
  acquire<T>(lease: Lease, terms: WaitTerms, once: boolean, value: T): Promise<T> | undefined {
    if (this.#closed) throw this.#closed;
    if (terms.signal?.aborted) throw terms.signal.reason;
    const now = performance.now();
    const queue = this.#queues.get(lease.key) ?? this.#open(lease.key, now);
    if (once && (queue.waitedFor || queue.held(now))) throw new NotObtainedError(lease.key, 0);
    if (!this.store.immediate || !queue.free(now)) return queue.join(lease, terms, once, now, value);
    const answer = this.store.obtain(lease, now);
    if (answer instanceof Promise || !answer.granted) return queue.join(lease, terms, once, now, value);
    queue.holder = lease;
    lease.grant(answer.fence, answer.until, now);
    return undefined;
  }

  /** Frees what the lease holds; false when the provider says that it did not hold it any more. */
  release(lease: Lease): Answer<boolean> {
    const queue = this.#queues.get(lease.key);
    if (queue?.holder === lease && queue.passOn()) return true;
    // The next in line asks right behind the release, on the same way.
    const answer = this.store.release(lease);
    if (queue?.holder === lease) queue.freed();
    return answer;
  }

  /**
   * Gives the lease the lifetime `ttl` from now.
   * @throws {LockNotHeldError} it is not held any more, and stays so
   */
  async refresh(lease: Lease, ttl: Milliseconds): Promise<void> {
    // One after the other: of two on their way, either lifetime could be the one that stays.
    const before = lease.refreshing;
    const done = before ? before.then(() => this.#refresh(lease, ttl)) : this.#refresh(lease, ttl);
    const settled = done.catch(() => undefined);
    lease.refreshing = settled;
    try {
      await done;
    } finally {
      if (lease.refreshing === settled) lease.refreshing = undefined;
    }
  }

  async #refresh(lease: Lease, ttl: Milliseconds): Promise<void> {
    if (!lease.alive(performance.now())) throw new LockNotHeldError(lease.key);
    const sent = performance.now();
    const answer = this.store.refresh(lease, ttl);
    // Until the answer is here either lifetime may be the true one: only the shorter is surely ours.
    if (answer instanceof Promise) lease.until = Math.min(lease.until, this.store.deadline(sent, ttl));
    const until = await answer;
    if (until === undefined) {
      this.lose(lease);
    } else if (lease.alive(performance.now())) {
      lease.until = until;
      this.#queues.get(lease.key)?.serve();
      return;
    } else if (lease.state === 'lost') {
      // Our deadline passed while the answer was on its way: what was lengthened is nobody's. After an unlock it may be the
      // next one's, who took it over under the same token.
      this.store.abandon(lease);
    }
    throw new LockNotHeldError(lease.key);
  }

  /** The provider has no such hold any more. */
  lose(lease: Lease): void {
    lease.lose('taken');
    const queue = this.#queues.get(lease.key);
    if (queue?.holder === lease) queue.freed();
  }

  /**
   * Rejects every wait, releases every hold, closes the store.
   * @param limit milliseconds for all of it
   */
  async close(limit: Milliseconds): Promise<void> {
    this.#closed = new NotReadyError('lock: the lock factory is closed; set the container up again, or open another');
    const started = performance.now();
    const answers: Promise<unknown>[] = [];
    for (const queue of [...this.#queues.values()]) {
      queue.rejectAll(this.#closed);
      const lease = queue.holder;
      if (!lease?.alive(started)) continue;
      lease.lose('closed');
      answers.push(Promise.resolve(this.store.release(lease)));
    }
    this.#queues.clear();
    const outcomes = await Promise.allSettled(answers.map((answer) => within(limit, answer, this.store.provider)));
    await this.store.close(Math.max(0, limit - (performance.now() - started)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed) throw failed.reason;
  }

  #open(key: string, now: number): KeyQueue {
    if (this.#queues.size >= SWEEP_FROM) this.#sweep(now);
    const queue = new KeyQueue(key, this.store);
    this.#queues.set(key, queue);
    return queue;
  }

  /** Two steps round the map for each new key, so that keys leave as others come, without any timer. */
  #sweep(now: number): void {
    for (let step = 0; step < 2; step += 1) {
      this.#sweeper ??= this.#queues.entries();
      const { value, done } = this.#sweeper.next();
      if (done) this.#sweeper = undefined;
      else if (value[1].free(now)) this.#queues.delete(value[0]);
    }
  }
}

/** An answer that may not take longer than `limit` milliseconds; its timer ends with it. */
async function within<T>(limit: Milliseconds, answer: Promise<T>, provider: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new ProviderUnreachableError(provider, limit)), limit);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
