import { show } from '../../errors.js';
import { LockLostError } from './errors.js';
import type { Lock } from './lock.js';

/** What a routine that runs under a lock is given. */
export interface Held {
  /** Aborted with `LockLostError` if the lock is lost while the routine runs: stop writing then. */
  readonly signal: AbortSignal;
  /** The fencing token of this hold, for storage that refuses stale writers. */
  readonly fence: bigint;
  /** The lock itself. */
  readonly lock: Lock;
}

/** What is done under a lock. */
export type Routine<T> = (held: Held) => T | PromiseLike<T>;

/** What `tryRun` tells: the routine's value, or that another had the key and it did not run. */
export type Outcome<T> = { readonly ran: true; readonly value: T } | { readonly ran: false };

/**
 * Runs the routine under the lock, as soon as it is held.
 * @param end gives the lock back; content with one that the routine has given back itself
 */
export async function runHeld<T>(
  taken: Lock | Promise<Lock>,
  routine: Routine<T>,
  end: (lock: Lock) => Promise<void>,
): Promise<T> {
  const lock = await taken;
  const { fence } = lock;
  // A stall between the grant and this statement may have outlived the lease: then the routine must not start.
  if (fence === undefined) lock.assertHeld();
  const held = heldBy(lock, fence!);
  let value: T;
  try {
    value = await routine(held);
  } catch (error) {
    try {
      await end(lock);
    } catch (failure) {
      const why = whyNotGivenBack(lock, failure);
      // Who fails because of the loss has told it already, by its own error or, as Node's own calls do, by that of the abort.
      if (!isOf(why, error) && !isOf(why, (error as Error | undefined)?.cause)) warn(lock, 'failed', why);
    }
    throw error;
  }
  try {
    await end(lock);
  } catch (failure) {
    warn(lock, 'is done', whyNotGivenBack(lock, failure));
  }
  return value;
}

/** A signal costs more than a lock: it is made for a routine that looks at it. A property, so that a copy has it, too. */
const SIGNAL: PropertyDescriptor & ThisType<Held> = {
  get() {
    return this.lock.signal;
  },
  enumerable: true,
};

function heldBy(lock: Lock, fence: bigint): Held {
  return Object.defineProperty({ fence, lock }, 'signal', SIGNAL) as Held;
}

/** Whether an error tells of the same: of a loss `assertHeld` makes another one each time. */
function isOf(why: Error, error: unknown): boolean {
  return error === why || (error instanceof LockLostError && why instanceof LockLostError && error.key === why.key);
}

/** If it was lost, that; else what became of giving it back: of a store of one's own anything may. */
function whyNotGivenBack({ signal }: Lock, failure: unknown): Error {
  if (signal.aborted) return signal.reason as Error;
  if (!(failure instanceof Error)) return new Error(show(failure), { cause: failure });
  return failure.cause instanceof LockLostError ? failure.cause : failure;
}

/** The outcome of the routine stands; that its lock did not end well must not pass silently either. */
function warn(lock: Lock, routine: string, why: Error): void {
  process.emitWarning(new LockWarning(lock.key, routine, why));
}

/** What Node prints, and what listeners of the process's event `warning` are given; the error is its cause. */
class LockWarning extends Error {
  override readonly name = 'LockWarning';
  readonly code: string;

  constructor(key: string, routine: string, cause: Error & { code?: string }) {
    super(`lock ${JSON.stringify(key)}: the routine ${routine}, but its lock was not given back: ${cause.message}`, {
      cause,
    });
    this.code = cause.code ?? 'ERR_LOCK';
    // Where it is made tells nothing.
    this.stack = `${this.name}: ${this.message}`;
  }
}
