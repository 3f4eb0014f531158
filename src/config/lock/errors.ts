import { durationText, type Milliseconds } from '../../duration.js';
import { IocError, textOf } from '../../errors.js';

/** The key stayed with another holder for as long as the caller was ready to wait. Go: `ErrNotObtained`. */
export class NotObtainedError extends IocError {
  readonly code = 'ERR_LOCK_NOT_OBTAINED';

  /**
   * @param key the key that was asked for
   * @param waited how long it was waited for, in milliseconds; 0 for a single try
   */
  constructor(
    readonly key: string,
    readonly waited: Milliseconds,
  ) {
    super('lock: not obtained');
  }
}

/**
 * The lock is not, or no longer, held by this object; nothing was changed. If it was held and lost, the `cause` is the
 * `LockLostError`. Go: `ErrLockNotHeld`.
 */
export class LockNotHeldError extends IocError {
  readonly code = 'ERR_LOCK_NOT_HELD';

  constructor(
    readonly key: string,
    cause?: LockLostError,
  ) {
    super('lock: lock not held', { cause });
  }
}

/**
 * Why a hold was lost: its ttl ran out by our own clock (`expired`), renewal had to stop at `maxHold` and then it ran out
 * (`maxHold`), the provider says that it is not ours any more (`taken`), the provider could not be asked to renew it in
 * time (`unreachable`), or the factory was closed (`closed`).
 */
export type LossReason = 'expired' | 'maxHold' | 'taken' | 'unreachable' | 'closed';

const LOSSES: Readonly<Record<LossReason, string>> = {
  expired: 'its ttl ran out before it was released or refreshed',
  maxHold: 'it was renewed for as long as maxHold allows, and then its ttl ran out',
  taken: 'the provider has no such hold any more: the key was deleted, expired there, or given to another holder',
  unreachable: 'the provider did not answer any renewal before the ttl ran out',
  closed: 'its lock factory was closed, which releases every hold',
};

/** Whether a word is one of the reasons. */
export function isLoss(word: string): word is LossReason {
  return Object.hasOwn(LOSSES, word);
}

/** A hold ended without an unlock: the reason of the abort of `lock.signal`, and what `assertHeld` throws. */
export class LockLostError extends IocError {
  readonly code = 'ERR_LOCK_LOST';

  constructor(
    readonly key: string,
    readonly reason: LossReason,
  ) {
    super(`lock "${key}": lost, ${LOSSES[reason]}`);
  }
}

/** A call that the state of its lock object does not allow: `lock()` on one that already holds or already waits. */
export class LockStateError extends IocError {
  readonly code: string = 'ERR_LOCK_STATE';
}

/** With `detectDeadlock`: `lock()` inside a routine that holds the very key, so that it would wait for itself. */
export class LockDeadlockError extends LockStateError {
  override readonly code = 'ERR_LOCK_DEADLOCK';

  /** @param takenAt where the routine's lock was taken: a line of the stack trace, `at …` */
  constructor(
    readonly key: string,
    readonly takenAt: string,
  ) {
    super(`lock "${key}": this would wait for itself, for the routine that it is called in holds it, taken ${takenAt}`);
  }
}

/** The provider answered with an error of its own, its text is in the message; what it has of the lock is unchanged. */
export class ProviderError extends IocError {
  readonly code: string = 'ERR_LOCK_PROVIDER';
}

/**
 * No answer came from the provider in time, so that nothing is known. An acquisition is undone in the background, a release done
 * again; a refresh is left as it is.
 */
export class ProviderUnreachableError extends ProviderError {
  override readonly code = 'ERR_LOCK_PROVIDER_UNREACHABLE';

  constructor(provider: string, after: Milliseconds, cause?: unknown) {
    const why = cause instanceof Error ? ` (${textOf(cause)})` : '';
    super(`lock: provider ${provider} gave no answer within ${durationText(Math.round(after))}${why}`, { cause });
  }
}
