import { timerDelay, type Milliseconds } from '../../duration.js';
import { Chain, type Link } from './chain.js';
import { LockNotHeldError, type LossReason } from './errors.js';
import type { Lease } from './lease.js';
import type { LockStore } from './provider/store.js';

/** The first pause after a renewal that failed; each is twice the last, up to a twelfth of the ttl. */
const FIRST_RETRY: Milliseconds = 50;

/** How the renewals of a factory keep up. */
export interface RenewalFigures {
  /** Leases that are renewed now. */
  readonly leases: number;
  /** How often leases were renewed together, repetitions after a failure included. */
  readonly rounds: number;
  /** How late the last round began, in milliseconds: a busy event loop, or a process that was stopped. */
  readonly lag: Milliseconds;
  /** The largest such lag so far. */
  readonly maxLag: Milliseconds;
  /** The smallest share of its ttl that a lease had left when it was renewed, 0 to 1; 0: too late. 1 before any renewal. */
  readonly leastLeft: number;
}

/** Keeps the leases of one lock alive, one after the other. */
export interface LeaseRenewal {
  granted(lease: Lease): void;
  /** The lease has the lifetime `life` now. */
  refreshed(life: Milliseconds): void;
  /** Nothing to renew any more. */
  rest(): void;
  /** Why the lease is lost, if its deadline passes now. */
  readonly atDeadline: LossReason;
  /** Brings up to date what is known of the lease, where another thread knows more. */
  look?(lease: Lease): void;
}

/** Who asks for what renewals want. */
interface RenewalHost {
  readonly store: Pick<LockStore, 'shortestTtl' | 'deadline'>;
  /** @throws {LockNotHeldError} it is not held any more */
  renew(lease: Lease, ttl: Milliseconds, limit: Milliseconds): Promise<void>;
  /** The figures have changed. */
  rounded?(): void;
}

/** How one lease is renewed. */
export class Renewal implements LeaseRenewal, Link<Renewal> {
  previous: Renewal | undefined;
  next: Renewal | undefined;
  /** When something is to be done for it, on `performance.now()`. */
  due: Milliseconds = Infinity;
  /** The lifetime that was asked for last, and is asked for again. */
  life: Milliseconds = 0;
  /** Beyond this moment it is not renewed. */
  end: Milliseconds = Infinity;
  /** Counts what was asked: of several questions under way the last one decides when to ask again. */
  asked = 0;
  /** Whether the last question is not answered yet. */
  asking = false;
  failures = 0;
  lease: Lease | undefined;
  #atDeadline: LossReason = 'expired';

  /** @param told hears why the lease would be lost, whenever that changes */
  constructor(
    private readonly all: Renewals,
    private readonly maxHold: Milliseconds,
    private readonly told?: (reason: LossReason) => void,
  ) {}

  get atDeadline(): LossReason {
    return this.#atDeadline;
  }

  set atDeadline(reason: LossReason) {
    if (reason !== this.#atDeadline) this.told?.(reason);
    this.#atDeadline = reason;
  }

  granted(lease: Lease): void {
    this.lease = lease;
    this.end = performance.now() + this.maxHold;
    this.refreshed(lease.ttl);
  }

  refreshed(life: Milliseconds): void {
    this.life = life;
    this.all.schedule(this);
  }

  rest(): void {
    this.all.remove(this);
  }

  /** When it is due by its deadline: with two thirds left, at the next point of the grid that leases share. */
  dueFrom(now: Milliseconds): Milliseconds {
    const step = 2 ** Math.floor(Math.log2(Math.max(1, this.life / 12)));
    return Math.ceil(Math.max(now, this.lease!.until - (this.life * 2) / 3) / step) * step;
  }

  /** Whether it may be renewed before it is due, since others are: not if it has just been. */
  mayJoin(now: Milliseconds): boolean {
    return !this.asking && this.failures === 0 && this.lease!.until - now <= (this.life * 11) / 12;
  }
}

/**
 * Renews all leases of one factory, with one timer, which does not keep the process alive. A lease is due at a third of its
 * ttl, rounded up to a grid: the greatest power of two milliseconds that is not above a twelfth of the ttl. When one is
 * due, all with the same ttl are renewed that have used up a twelfth, so that they fall due together from then on and what
 * is asked for them leaves together.
 */
export class Renewals {
  readonly #renewed = new Chain<Renewal>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt: Milliseconds = Infinity;
  #rounds = 0;
  #lag: Milliseconds = 0;
  #maxLag: Milliseconds = 0;
  #leastLeft = 1;

  constructor(private readonly host: RenewalHost) {}

  get figures(): RenewalFigures {
    return {
      leases: [...this.#renewed].length,
      rounds: this.#rounds,
      lag: this.#lag,
      maxLag: this.#maxLag,
      leastLeft: this.#leastLeft,
    };
  }

  schedule(one: Renewal): void {
    one.asking = false;
    one.failures = 0;
    one.atDeadline = 'expired';
    one.due = one.dueFrom(performance.now());
    this.#renewed.push(one);
    this.#arm(one.due);
  }

  /** A timer that is set stays: the next lease may use it. */
  remove(one: Renewal): void {
    this.#renewed.remove(one);
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #arm(due: Milliseconds): void {
    if (this.#timerAt <= due) return;
    clearTimeout(this.#timer);
    this.#timerAt = due;
    this.#timer = setTimeout(() => this.#fired(), timerDelay(due - performance.now()));
    this.#timer.unref();
  }

  #fired(): void {
    this.#timerAt = Infinity;
    const now = performance.now();
    // A store of the application's own may throw: the others are renewed all the same.
    try {
      this.#round(now);
    } finally {
      let next = Infinity;
      for (const { due } of this.#renewed) next = Math.min(next, due);
      if (next < Infinity) this.#arm(next);
    }
  }

  #round(now: Milliseconds): void {
    const lives = new Set<Milliseconds>();
    let due = Infinity;
    for (const one of this.#renewed) {
      if (one.due > now) continue;
      due = Math.min(due, one.due);
      lives.add(one.life);
    }
    if (lives.size === 0) return;
    this.#rounds += 1;
    this.#lag = now - due;
    this.#maxLag = Math.max(this.#maxLag, this.#lag);
    // Collected first: one that is found to be lost leaves the chain.
    const wanted = [...this.#renewed].filter((one) => one.due <= now || (lives.has(one.life) && one.mayJoin(now)));
    for (const one of wanted) this.#renew(one, one.lease!);
    this.host.rounded?.();
  }

  #renew(one: Renewal, lease: Lease): void {
    // Of many in a round the last come later: a lease that is over is not asked for, and not lost for want of an answer.
    const now = performance.now();
    const left = lease.left(now);
    this.#leastLeft = Math.min(this.#leastLeft, left / one.life);
    if (left === 0) return this.remove(one);
    const ttl = Math.min(one.life, Math.floor(one.end - now));
    const isLast = ttl < one.life;
    if (isLast && !this.#gains(lease, ttl, now)) return this.#stop(one);
    const asked = (one.asked += 1);
    // For as long as the answer is missing: who asks has not been idle. Without one it is asked again.
    one.asking = true;
    one.atDeadline = 'unreachable';
    one.due = now + one.life / 6;
    this.host.renew(lease, ttl, one.life / 6).then(
      () => {
        if (!this.#renewed.has(one)) return;
        if (isLast) this.#stop(one);
        else this.schedule(one);
      },
      (error: unknown) => {
        if (error instanceof LockNotHeldError || asked !== one.asked || !this.#renewed.has(one)) return;
        one.asking = false;
        one.failures += 1;
        const pause = FIRST_RETRY * 2 ** (one.failures - 1);
        one.due = performance.now() + Math.min(pause, Math.max(FIRST_RETRY, one.life / 12));
        this.#arm(one.due);
      },
    );
  }

  /** Whether a lifetime that `maxHold` has cut would make the lease last longer. */
  #gains(lease: Lease, ttl: Milliseconds, now: Milliseconds): boolean {
    const { store } = this.host;
    return ttl >= store.shortestTtl && store.deadline(now, ttl) > lease.until;
  }

  /** `maxHold` leaves nothing to ask for: the lease runs out. */
  #stop(one: Renewal): void {
    one.atDeadline = 'maxHold';
    this.#renewed.remove(one);
  }
}
