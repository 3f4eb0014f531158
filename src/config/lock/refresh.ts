import type { Milliseconds } from '../../duration.js';
import type { Lease } from './lease.js';
import { abandon, isLater, type LockStore } from './provider/store.js';

/** Who hears what refreshes bring. */
interface RefreshHost {
  /** The deadline of the lease is another than before. */
  moved(lease: Lease): void;
  /** The provider has no such hold any more. */
  gone(lease: Lease): void;
  /** Whether the next one has its hold, under the same token. */
  isTakenOver(lease: Lease): boolean;
}

/** A refresh whose answer is missing. */
interface Asked {
  /** The deadline that it surely gives: its own, or the earlier one of a later refresh that is on its way, too. */
  until: Milliseconds;
}

/** What is on its way for one lease. */
class Way {
  readonly asked = new Set<Asked>();
  /** Settles when all that came so far is settled. */
  tail: Promise<unknown> | undefined = undefined;
  /** How many have come and are not settled, and how many of them are no renewals. */
  size = 0;
  manual = 0;
}

/**
 * Gives leases new lifetimes. The refreshes of one lease are sent one after the other: with two on their way, nobody knows
 * whose lifetime stays. Renewals alone overtake each other: they ask for the same, and one that stays unanswered must not
 * hold up the next.
 */
export class Refreshes {
  /** Few leases have something on its way, so that none has a field for it. */
  readonly #ways = new Map<Lease, Way>();

  constructor(
    private readonly store: Pick<LockStore, 'refresh' | 'deadline' | 'abandon'>,
    private readonly host: RefreshHost,
  ) {}

  /** Whether a refresh of the lease is without an answer: it may be asked again, and arrive whenever it likes. */
  isAsked(lease: Lease): boolean {
    return this.#ways.has(lease);
  }

  /** @throws {LockNotHeldError} it is not held any more, and stays so */
  async refresh(lease: Lease, ttl: Milliseconds): Promise<void> {
    const way = this.#way(lease);
    way.manual += 1;
    try {
      await this.#join(lease, way, way.tail, () => this.#ask(lease, way, ttl));
    } finally {
      way.manual -= 1;
    }
  }

  /** @param limit milliseconds within which an answer is wanted */
  renew(lease: Lease, ttl: Milliseconds, limit: Milliseconds): Promise<void> {
    const way = this.#way(lease);
    const before = way.manual === 0 ? undefined : way.tail;
    return this.#join(lease, way, before, () => this.#ask(lease, way, ttl, limit));
  }

  #way(lease: Lease): Way {
    let way = this.#ways.get(lease);
    if (!way) this.#ways.set(lease, (way = new Way()));
    return way;
  }

  async #join(lease: Lease, way: Way, before: Promise<unknown> | undefined, ask: () => Promise<void>): Promise<void> {
    const done = before ? before.then(ask) : ask();
    way.tail = Promise.allSettled([way.tail, done]);
    way.size += 1;
    try {
      await done;
    } finally {
      way.size -= 1;
      if (way.size === 0) this.#ways.delete(lease);
    }
  }

  async #ask(lease: Lease, way: Way, ttl: Milliseconds, limit?: Milliseconds): Promise<void> {
    const sent = performance.now();
    if (!lease.alive(sent)) throw lease.notHeld;
    const answer = this.store.refresh(lease, ttl, limit);
    if (isLater(answer)) return this.#answered(lease, way, sent, ttl, answer);
    if (answer === undefined) return this.#gone(lease);
    this.#move(lease, answer);
  }

  async #answered(
    lease: Lease,
    way: Way,
    sent: Milliseconds,
    ttl: Milliseconds,
    answer: PromiseLike<Milliseconds | undefined>,
  ): Promise<void> {
    const asked: Asked = { until: this.store.deadline(sent, ttl) };
    // Until the answer is here either lifetime may be the true one: only the shorter is surely ours.
    this.#move(lease, Math.min(lease.until, asked.until));
    for (const other of way.asked) other.until = Math.min(other.until, asked.until);
    way.asked.add(asked);
    let until: Milliseconds | undefined;
    try {
      until = await answer;
    } finally {
      way.asked.delete(asked);
    }
    if (until === undefined) return this.#gone(lease);
    if (lease.alive(performance.now())) return this.#move(lease, Math.max(lease.until, Math.min(until, asked.until)));
    // Our deadline passed while the answer was on its way: what was lengthened is nobody's, unless the next one has taken it
    // over under the same token.
    if (lease.lost && !this.host.isTakenOver(lease)) abandon(this.store, lease);
    throw lease.notHeld;
  }

  #move(lease: Lease, until: Milliseconds): void {
    if (until === lease.until && !lease.stretch) return;
    lease.move(until);
    this.host.moved(lease);
  }

  #gone(lease: Lease): never {
    this.host.gone(lease);
    throw lease.notHeld;
  }
}
