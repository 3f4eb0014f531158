import type { Milliseconds } from '../../duration.js';
import { LockLostError, type LossReason } from './errors.js';
import type { Lease, LeaseWatcher } from './lease.js';
import type { LeaseRenewal } from './renewal.js';
import { LossSignal } from './signal.js';

/** What becomes of the holds of one lock, told to its renewal and its signal. A lock without either has no watch. */
export class Watch implements LeaseWatcher {
  /** The last acquisition: what becomes of an earlier one, whose release is answered late, concerns nobody. */
  #lease: Lease | undefined;
  #renewal: LeaseRenewal | undefined;
  #loss: LossSignal | undefined;

  get atDeadline(): LossReason {
    return this.#renewal?.atDeadline ?? 'expired';
  }

  /** Another acquisition begins: whether there is anything to watch in it. */
  begin(lease: Lease, renewal: LeaseRenewal | undefined): boolean {
    this.#lease = lease;
    this.#renewal = renewal;
    if (this.#loss?.spent) this.#loss = undefined;
    return renewal !== undefined || this.#loss !== undefined;
  }

  /** The acquisition that began has failed at once: the one before is the last. */
  stay(lease: Lease | undefined): void {
    this.#lease = lease;
  }

  /** The signal of the lock whose last acquisition is `lease`. */
  signal(lease: Lease | undefined): AbortSignal {
    this.#lease = lease;
    if (!this.#loss) {
      const isHeld = lease?.alive(performance.now());
      this.#loss = new LossSignal(lease?.lost);
      if (isHeld) this.#loss.granted(lease!);
    }
    return this.#loss.signal;
  }

  look(lease: Lease): void {
    this.#renewal?.look?.(lease);
  }

  granted(lease: Lease): void {
    this.#renewal?.granted(lease);
    this.#loss?.granted(lease);
  }

  moved(): void {
    this.#loss?.moved();
  }

  /** The holder has refreshed it, to another lifetime perhaps. */
  refreshed(ttl: Milliseconds): void {
    this.#renewal?.refreshed(ttl);
  }

  lost(lease: Lease, reason: LossReason): void {
    // Who remembers the lease need not remember who was told.
    lease.watcher = undefined;
    if (lease !== this.#lease) return;
    this.#renewal?.rest();
    this.#loss?.lost(new LockLostError(lease.key, reason));
  }

  /** Nothing is held any more, and nothing was lost. */
  rest(): void {
    this.#renewal?.rest();
    this.#loss?.rest();
  }
}
