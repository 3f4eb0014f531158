import type { Milliseconds } from '../../duration.js';
import type { Stretch } from './coarse_clock.js';
import { isLoss, LockLostError, LockNotHeldError, type LossReason } from './errors.js';
import type { HoldTerms, WaitTerms } from './options.js';
import type { KeyQueue } from './queue.js';
import type { Ask } from './provider/store.js';
import { randomText } from './random.js';
import { Waiter, type InLine } from './waiter.js';

/**
 * What a lease goes through; one that is lost is in the state of its reason. `unsure`: a release was sent and its answer
 * never came, or was an error, so that the hold may still be there; it does not count as held.
 */
type LeaseState = 'asking' | 'held' | 'releasing' | 'unsure' | 'ended' | LossReason;

/** Who wants to know what becomes of a lease. */
export interface LeaseWatcher {
  /** Brings the lease up to date, where another thread knows more of it. */
  look?(lease: Lease): void;
  granted(lease: Lease): void;
  /** Its deadline is another than before. */
  moved(lease: Lease): void;
  lost(lease: Lease, reason: LossReason): void;
  /** It is given back. */
  rest?(): void;
  /** Why it is lost, if its deadline passes now. */
  readonly atDeadline: LossReason;
}

/** What wants a key: its lease is made when it is first looked at. */
export interface Claim {
  readonly key: string;
  readonly lease: Lease;
  /** Where it is held or waited for. */
  place: KeyQueue | undefined;
  /**
   * Who stands in line for it.
   * @param since when it came, on `performance.now()`
   * @param atOnce whether it is granted the key whenever it asks
   * @param value what the wait resolves with
   */
  inLine(terms: WaitTerms, since: Milliseconds, atOnce: boolean, value: unknown): InLine;
}

/** One acquisition of a key: what identifies its holder, until when it is ours, and whether it still is. */
export class Lease implements Ask, Claim {
  state: LeaseState = 'asking';
  /** Deadline on `performance.now()`, never later than the provider's own; right once `alive` has looked at it. */
  until: Milliseconds = 0;
  /** The stretch it was granted in, if any. `until` counts from its begin; when that has passed, `alive` counts from its end instead. */
  stretch: Stretch | undefined = undefined;
  /** The fencing token of this acquisition; below 2^53, so that a number is exact. */
  fence = 0;
  watcher: LeaseWatcher | undefined = undefined;
  longest: Milliseconds;
  memo: unknown = undefined;
  /** Where it is held or waited for. */
  place: KeyQueue | undefined = undefined;
  #token: string | undefined;

  constructor(
    readonly key: string,
    readonly ttl: Milliseconds,
    private readonly hold: HoldTerms,
  ) {
    this.#token = hold.token;
    this.longest = ttl;
  }

  get lease(): this {
    return this;
  }

  inLine(terms: WaitTerms, since: Milliseconds, atOnce: boolean, value: unknown): InLine {
    return new Waiter(this, terms, since, atOnce, value);
  }

  get metadata(): string {
    return this.hold.metadata;
  }

  get random(): boolean {
    return this.hold.token === undefined;
  }

  get plain(): boolean {
    return this.random && this.metadata === '';
  }

  /** Takes over the hold of another plain lease, under its token: what is stored stays as it is. */
  takeOver(from: Lease): void {
    this.#token = from.token;
  }

  /** Another random token for the same wish: what was asked under the last one may still arrive. One's own token stays. */
  rename(): void {
    if (this.random) this.#token = undefined;
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
    if (this.state === 'held') this.watcher?.look?.(this);
    if (this.state !== 'held') return false;
    if (this.stretch && now >= this.until) this.countFrom(this.stretch, now);
    if (now < this.until) return true;
    this.lose(this.watcher?.atDeadline ?? 'expired');
    return false;
  }

  /** For how long it is surely ours from `now` on; 0 when it is not. */
  left(now: Milliseconds): Milliseconds {
    return this.alive(now) ? this.until - now : 0;
  }

  grant(fence: number, until: Milliseconds, stretch?: Stretch): void {
    this.state = 'held';
    this.fence = fence;
    this.until = until;
    this.stretch = stretch;
    this.watcher?.granted(this);
  }

  move(until: Milliseconds): void {
    this.until = until;
    this.stretch = undefined;
    this.watcher?.moved(this);
  }

  /** It is given back, or was never granted; whoever watched it is not kept in memory by who remembers it. */
  end(): void {
    this.state = 'ended';
    this.watcher = undefined;
  }

  lose(reason: LossReason): void {
    if (this.state !== 'held') return;
    this.state = reason;
    this.watcher?.lost(this, reason);
  }

  /** The end of the stretch gives the hold all of its ttl, as who looks while it lasts does for the time being. */
  private countFrom({ end }: Stretch, now: Milliseconds): void {
    if (end !== undefined) this.stretch = undefined;
    this.until = (end ?? now) + this.ttl;
  }

  /** Why it was lost; undefined if it was not. */
  get lost(): LockLostError | undefined {
    return isLoss(this.state) ? new LockLostError(this.key, this.state) : undefined;
  }

  /** The error of who does something with it that only its holder may do. */
  get notHeld(): LockNotHeldError {
    return new LockNotHeldError(this.key, this.lost);
  }
}

const LENGTH = 22;

/**
 * 22 letters of base64url as Go's mcube v2 writes them, but for the last one, so that our tokens can be told from Go's: what
 * would end as those do ends in the letter after it. More than 128 bits are of the system's generator.
 */
export function randomToken(): string {
  const text = randomText(LENGTH);
  if (!isEndOfGo(text[LENGTH - 1]!)) return text;
  return text.slice(0, -1) + String.fromCharCode(text.charCodeAt(LENGTH - 1) + 1);
}

/**
 * Sixteen bytes in base64url end in one of these letters, as the token of a Go service does. Compared, not looked up in a text: the methods of
 * texts are slow where a class extends `String`, as one of ioredis does.
 */
function isEndOfGo(letter: string): boolean {
  return letter === 'A' || letter === 'Q' || letter === 'g' || letter === 'w';
}
