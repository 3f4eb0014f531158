import type { Milliseconds } from '../../duration.js';
import { LockNotHeldError, type LossReason } from './errors.js';
import type { Lease, LeaseWatcher } from './lease.js';
import { timerDelay } from './options.js';
import type { Queues } from './queues.js';

const FIRST_RETRY: Milliseconds = 50;

/**
 * Keeps a lease alive while it is held: at a third of its ttl, sooner and sooner again while the provider is silent,
 * never beyond `maxHold` after its acquisition. Its timer does not keep the process alive.
 */
export class Renewal implements LeaseWatcher {
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;

  constructor(
    private readonly queues: Queues,
    private readonly maxHold: Milliseconds,
  ) {}

  granted(lease: Lease): void {
    this.#after(lease, lease.life / 3);
  }

  lost(_lease: Lease, _reason: LossReason): void {
    this.rest();
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  #after(lease: Lease, ms: Milliseconds): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#renew(lease), timerDelay(ms));
    this.#timer.unref();
  }

  async #renew(lease: Lease): Promise<void> {
    const now = performance.now();
    const left = Math.floor(lease.since + this.maxHold - now);
    const ttl = Math.min(lease.life, left);
    if (ttl < this.queues.store.shortestTtl || !lease.alive(now)) return;
    // For as long as the answer is missing: who asks has not been idle.
    lease.atDeadline = 'unreachable';
    try {
      await this.queues.refresh(lease, ttl);
      this.#failures = 0;
      lease.atDeadline = 'expired';
    } catch (error) {
      if (error instanceof LockNotHeldError) return;
      this.#failures += 1;
    }
    if (!lease.alive(performance.now())) return;
    const third = lease.life / 3;
    this.#after(lease, this.#failures === 0 ? third : Math.min(third, FIRST_RETRY * 2 ** (this.#failures - 1)));
  }
}
