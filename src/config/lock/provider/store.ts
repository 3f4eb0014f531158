import type { Milliseconds } from '../../../duration.js';
import { InvalidArgumentError } from '../../../errors.js';

/** An answer now, or later: a store inside this process need not make anybody wait for a turn of the event loop. */
export type Answer<T> = T | PromiseLike<T>;

/** Whether the answer comes later; the promise may be of another realm, or of a library. */
export function isLater<T>(answer: Answer<T> | undefined): answer is PromiseLike<T> {
  return typeof (answer as PromiseLike<T> | undefined)?.then === 'function';
}

/** Who is told an answer that was not there yet: what a promise does, without one for each question. */
export interface Asker<T> {
  /**
   * The answer is there.
   * @param now on `performance.now()`; for who has many answers to tell, one look at the clock will do
   */
  answered(answer: T, now?: Milliseconds): void;
  /** It will not come: why. */
  failed(error: unknown): void;
}

/** A wish for a key, as a store sees it. */
export interface Ask {
  readonly key: string;
  readonly ttl: Milliseconds;
  /** Tells holders apart: token and metadata. */
  readonly value: string;
  /** The longest lifetime that it was ever asked to have: no answer need have said so. */
  readonly longest: Milliseconds;
  /** The deadline known so far, on `performance.now()`. */
  readonly until: Milliseconds;
  /** Whether its token is random: then nobody else ever has its value. */
  readonly random: boolean;
  /** Whether it has a random token and no metadata: another may have the hold under this value, and all such values are of one length. */
  readonly plain: boolean;
  /** What the store remembers of it; the queue does not look. */
  memo: unknown;
  /** What the store remembers of the key, for as long as the queue remembers the key. */
  readonly place?: { memo: unknown } | undefined;
}

/** A waiter that stands in line until it is its turn: how a store that can wake somebody reaches it. */
export interface Line {
  /** Whether others of this process stand behind it. */
  readonly followed: boolean;
  /** The key is its own, without a question. */
  grant(grant: Grant): void;
  /** It is worth asking again now. */
  ask(): void;
  /** Another has the key: known already, though the answer is held back. */
  refused(): void;
}

/** The key is yours. */
export interface Grant {
  readonly granted: true;
  /** The fencing token: higher than that of every earlier grant of this key; a whole number below 2^53. */
  readonly fence: number;
  /** Until when, on this process' `performance.now()`: counted from before the request was sent, never too late. */
  readonly until: Milliseconds;
}

/** Another has it. */
export interface Refusal {
  readonly granted: false;
  /** When the question was sent, on `performance.now()`: the key was another's at some moment after that. */
  readonly asked: Milliseconds;
  /** How long the other hold still lasts if nobody touches it; Infinity when it has no end. */
  readonly left: Milliseconds;
}

/**
 * Where locks live. A store answers single questions; who waits, in which order, and what is held by this process is the
 * business of the queue in front of it, so that every provider keeps the same promises. The queue asks for one key one
 * question at a time, and never while a hold of this process on that key is alive.
 *
 * A question that cannot be answered rejects: with ProviderUnreachableError when nothing is known, in bounded time; with
 * ProviderError when the provider itself refused.
 */
export interface LockStore {
  /** Whether it is an {@link OwnStore}. */
  readonly alone?: boolean;
  /** The provider's name, as configuration and messages spell it. */
  readonly provider: string;
  /** The shortest ttl that makes sense here, in milliseconds. */
  readonly shortestTtl: Milliseconds;
  /** Until when a lease of `ttl` whose request was sent at `sent` is surely ours; both on `performance.now()`. */
  deadline(sent: Milliseconds, ttl: Milliseconds): Milliseconds;
  /**
   * Takes the key for `ask.value` and `ask.ttl`, in one step, if nobody has it.
   * @param now on `performance.now()`, before the question
   * @param line of a waiter that stays: it may be given the key later, without another question
   * @param asker who may be told the answer, once, after this returned undefined
   */
  obtain(ask: Ask, now: Milliseconds, line?: Line, asker?: Asker<Grant | Refusal>): Answer<Grant | Refusal> | undefined;
  /** Hands the hold of `from` on to `to` without a question, value and all; undefined when the store must be asked. */
  pass?(from: Ask, to: Ask, now: Milliseconds): Grant | undefined;
  /**
   * Gives the hold the lifetime `ttl` from now: the new deadline, or undefined when `ask.value` does not have the key.
   * @param limit of a renewal: milliseconds within which an answer is wanted, for then it is asked again
   */
  refresh(ask: Ask, ttl: Milliseconds, limit?: Milliseconds): Answer<Milliseconds | undefined>;
  /**
   * Frees the key if `ask.value` has it: whether it had.
   * @param followed one who waits in line asks for the key right behind it
   * @param asker who may be told the answer, once, after this returned undefined
   */
  release(ask: Ask, followed?: boolean, asker?: Asker<boolean>): Answer<boolean> | undefined;
  /** Milliseconds until the hold of `ask.value` ends; 0 when it does not have the key. Left out, its lease tells that. */
  left?(ask: Ask): Answer<Milliseconds>;
  /**
   * Nobody wants what was asked for any more: sees to it that no hold of it stays, for as long as one could. `ask.value` is
   * to be read at once: the ask may get another token after this call. An open question is answered, or fails, all the same:
   * the next in line asks then.
   */
  abandon(ask: Ask): void;
  /** Why the question for `ask` has no answer yet, as far as is known. */
  trouble?(ask: Ask): Error | undefined;
  /** How long to pause after a refusal before it is worth asking again, unless the queue is woken earlier. */
  pause(refusal: Refusal, attempt: number): Milliseconds;
  /** Sends at once what it was asked in this turn of the event loop; of a store that collects that. */
  flush?(): void;
  /** Gives back what the store has opened; finishes within `limit` milliseconds. */
  close(limit: Milliseconds): Promise<void>;
}

/**
 * A store that nobody but this process has: the queue in front of it knows every hold, so that whatever it asks for is
 * granted, at once. Its times may be those of a coarse clock.
 */
export interface OwnStore extends LockStore {
  readonly alone: true;
  obtain(ask: Ask, now: Milliseconds): Grant;
}

/** A store of the application's own may throw: that ends nothing of who gives up, and is told as Node tells it of a listener. */
export function abandon(store: Pick<LockStore, 'abandon'>, ask: Ask): void {
  try {
    store.abandon(ask);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}

export function isOwn(store: LockStore): store is OwnStore {
  return store.alone === true;
}

const METHODS = ['deadline', 'obtain', 'refresh', 'release', 'abandon', 'pause', 'close'] as const;

/** @throws {InvalidArgumentError} it is no store: the message says what it lacks */
export function checkStore(store: LockStore): LockStore {
  const given = Object(store) as Partial<LockStore>;
  const { provider, shortestTtl } = given;
  const lacking = METHODS.find((name) => typeof given[name] !== 'function');
  if (lacking) throw new InvalidArgumentError('store', store, `a store of locks; its method ${lacking} is missing`);
  if (typeof provider !== 'string') throw new InvalidArgumentError('store.provider', provider, 'its name');
  if (!Number.isInteger(shortestTtl) || shortestTtl! < 1)
    throw new InvalidArgumentError('store.shortestTtl', shortestTtl, 'whole milliseconds, 1 or more');
  return store;
}
