import { ProviderUnreachableError } from './errors.js';
import type { Lease } from './lease.js';
import type { Queues } from './queues.js';
import { abandon, isLater, type Answer, type Asker, type LockStore } from './provider/store.js';
import { keepSettlers, letSettlersGo, settlers, type Settle } from './settlers.js';

/** Gives back what a lease holds; undefined when it is done. */
export function release(queues: Queues, lease: Lease): Promise<void> | undefined {
  const again = lease.state === 'unsure';
  const now = queues.timeOf(lease);
  if (!(again || lease.alive(now))) return Promise.reject(lease.notHeld);
  lease.state = 'releasing';
  lease.watcher?.rest?.();
  const { store } = queues;
  const told = store.alone ? undefined : new Release(lease, again, store);
  const answer = queues.release(lease, now, told);
  if (answer !== true) return (told ?? new Release(lease, again, store)).wait(answer);
  // It has its answer: nobody waits for what it may be told all the same.
  lease.end();
  return undefined;
}

/** An `unlock` that the provider answers later: what its answer makes of the lease, and of the promise of the caller. */
class Release implements Asker<boolean> {
  #resolve!: Settle;
  #reject!: Settle;
  #isWaitedFor = false;
  /** What it was told, be it before anybody waited: the next in line may ask, and a store answer both, while the release is handed over. */
  #news: boolean | Failure | undefined = undefined;

  /** @param again an earlier one stayed without an answer */
  constructor(
    private readonly lease: Lease,
    private readonly again: boolean,
    private readonly store: LockStore,
  ) {}

  /** @param answer undefined when the store tells this object */
  wait(answer: Answer<boolean> | undefined): Promise<void> {
    const done = new Promise<unknown>(keepSettlers) as Promise<void>;
    this.#resolve = settlers.resolve;
    this.#reject = settlers.reject;
    letSettlersGo();
    this.#isWaitedFor = true;
    if (this.#news !== undefined) this.tell(this.#news);
    // Not of ours, perhaps, and then looking at it may throw, as its `then` may.
    try {
      if (isLater(answer)) {
        Promise.resolve(answer).then(
          (released) => this.answered(released),
          (error: unknown) => this.failed(error),
        );
      } else if (answer !== undefined) {
        this.answered(answer);
      }
    } catch (error) {
      this.failed(error);
    }
    return done;
  }

  answered(released: boolean): void {
    // A store of the application's own may tell nonsense.
    this.hear(Boolean(released));
  }

  failed(error: unknown): void {
    this.hear(new Failure(error));
  }

  private hear(news: boolean | Failure): void {
    // And it may tell it twice.
    if (this.#news !== undefined) return;
    this.#news = news;
    if (this.#isWaitedFor) this.tell(news);
  }

  private tell(news: boolean | Failure): void {
    if (news instanceof Failure) this.tellFailure(news.error);
    else this.tellAnswer(news);
  }

  private tellAnswer(released: boolean): void {
    const { lease } = this;
    // After an unanswered release, "not yours" means that it had arrived.
    if (released || this.again) {
      lease.end();
      return this.#resolve(undefined);
    }
    lease.state = 'taken';
    lease.watcher?.lost(lease, 'taken');
    this.#reject(lease.notHeld);
  }

  private tellFailure(error: unknown): void {
    const { lease } = this;
    lease.state = 'unsure';
    // It is not held any more, whatever an unlock finds later: who watched it is not kept in memory.
    lease.watcher = undefined;
    this.#reject(error);
    if (error instanceof ProviderUnreachableError) abandon(this.store, lease);
  }
}

/** Why there is no answer: any error, or anything else that is thrown. */
class Failure {
  constructor(readonly error: unknown) {}
}
