import { randomFillSync } from 'node:crypto';
import type { Milliseconds } from '../../duration.js';
import type { LossReason } from './errors.js';
import type { Ask } from './provider/store.js';

/**
 * What a lease goes through. `unsure`: a release was sent and its answer never came, so that the hold may still be there;
 * it does not count as held.
 */
export type LeaseState = 'asking' | 'held' | 'releasing' | 'unsure' | 'ended' | 'lost';

/** Who wants to know what becomes of a lease. */
export interface LeaseWatcher {
  granted(lease: Lease): void;
  lost(lease: Lease, reason: LossReason): void;
}

/** One acquisition of a key: what identifies its holder, until when it is ours, and whether it still is. */
export class Lease implements Ask {
  state: LeaseState = 'asking';
  /** Deadline on `performance.now()`; never later than the provider's own. */
  until: Milliseconds = 0;
  /** The fencing token of this acquisition; below 2^53, so that a number is exact. */
  fence = 0;
  /** The lifetime that was asked for last; renewal asks for it again. */
  life: Milliseconds;
  /** When it was granted, on `performance.now()`. */
  since: Milliseconds = 0;
  /** Why it is lost if its deadline passes: `unreachable` while the provider leaves renewals unanswered. */
  atDeadline: LossReason = 'expired';
  /** Settles with the refresh that is on its way. */
  refreshing: Promise<void> | undefined = undefined;
  watcher: LeaseWatcher | undefined = undefined;
  readonly plain: boolean;
  memo: unknown = undefined;
  #token: string | undefined;

  constructor(
    readonly key: string,
    readonly ttl: Milliseconds,
    token: string | undefined,
    readonly metadata: string,
  ) {
    this.life = ttl;
    this.#token = token;
    this.plain = token === undefined && metadata === '';
  }

  /** Takes over the hold of another plain lease, under its token: what is stored stays as it is. */
  takeOver(from: Lease): void {
    this.#token = from.token;
  }

  /** Made when first looked at: a provider inside this process compares leases, not tokens. */
  get token(): string {
    return (this.#token ??= randomToken());
  }

  /** What a provider outside stores: the token, then the metadata, as Go's mcube v2 does. */
  get value(): string {
    return this.token + this.metadata;
  }

  /** Whether the lease is surely ours at `now`; notices, and tells, when its deadline has passed. */
  alive(now: Milliseconds): boolean {
    if (this.state !== 'held') return false;
    if (now < this.until) return true;
    this.lose(this.atDeadline);
    return false;
  }

  grant(fence: number, until: Milliseconds, now: Milliseconds): void {
    this.state = 'held';
    this.fence = fence;
    this.until = until;
    this.since = now;
    this.watcher?.granted(this);
  }

  lose(reason: LossReason): void {
    if (this.state !== 'held') return;
    this.state = 'lost';
    this.watcher?.lost(this, reason);
  }
}

const BYTES = 16;
const pool = Buffer.allocUnsafe(BYTES * 256);
let used = pool.length;

/**
 * 128 random bits of the system's generator as 22 characters of base64url, as Go's mcube v2 writes them, but for the last
 * character: sixteen bytes can only end in A, Q, g or w there, so that ending in B, R, h or x tells our tokens from Go's.
 */
export function randomToken(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const text = pool.toString('base64url', used, used + BYTES);
  // A byte is used once: what was given out does not stay readable in the pool.
  pool.fill(0, used, used + BYTES);
  used += BYTES;
  return text.slice(0, -1) + String.fromCharCode(text.charCodeAt(BYTES + 5) + 1);
}
