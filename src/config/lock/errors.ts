import { durationText, type Milliseconds } from '../../duration.js';
import { IocError } from '../../errors.js';

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

/** The lock is not, or no longer, held by this object; nothing was changed. Go: `ErrLockNotHeld`. */
export class LockNotHeldError extends IocError {
  readonly code = 'ERR_LOCK_NOT_HELD';

  constructor(readonly key: string) {
    super('lock: lock not held');
  }
}

/**
 * Why a hold was lost: its ttl ran out by our own clock (`expired`), the provider says that it is not ours any more
 * (`taken`), the provider could not be asked to renew it in time (`unreachable`), or the factory was closed (`closed`).
 */
export type LossReason = 'expired' | 'taken' | 'unreachable' | 'closed';

const LOSSES: Readonly<Record<LossReason, string>> = {
  expired: 'its ttl ran out before it was released or refreshed',
  taken: 'the provider has no such hold any more: the key was deleted, expired there, or given to another holder',
  unreachable: 'the provider did not answer any renewal before the ttl ran out',
  closed: 'its lock factory was closed, which releases every hold',
};

/** A hold ended without an unlock: the reason of the abort of `lock.signal`. */
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
  readonly code = 'ERR_LOCK_STATE';
}

/** The provider answered with an error of its own, its text is in the message; the lock's state there is unchanged. */
export class ProviderError extends IocError {
  readonly code: string = 'ERR_LOCK_PROVIDER';
}

/** No answer came from the provider in time, so that nothing is known; what was asked for is undone when it comes back. */
export class ProviderUnreachableError extends ProviderError {
  override readonly code = 'ERR_LOCK_PROVIDER_UNREACHABLE';

  constructor(provider: string, after: Milliseconds, cause?: unknown) {
    const why = cause instanceof Error ? ` (${cause.message})` : '';
    super(`lock: provider ${provider} gave no answer within ${durationText(Math.round(after))}${why}`, { cause });
  }
}
