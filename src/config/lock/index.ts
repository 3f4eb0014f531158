import { builtIn, defaultIoc, type Ioc } from '../../ioc/index.js';
import { LockConfig } from './config.js';
import type { LockFactory } from './factory.js';

/**
 * The locks of a container.
 * @param container the default one when left out
 * @throws {NotReadyError} the container is not set up yet, or stopped
 * @see Go: ioc/config/lock, L
 */
export function L(container: Ioc = defaultIoc): LockFactory {
  return get(container).factory();
}

/** The component with its settings, before setup at their defaults. */
export function get(container: Ioc = defaultIoc): LockConfig {
  return builtIn(container, 'lock');
}

export { InvalidArgumentError, IocError, NotReadyError } from '../../errors.js';
export type { Duration, Milliseconds } from '../../duration.js';
export { LockConfig };
export {
  LockDeadlockError,
  LockLostError,
  LockNotHeldError,
  LockStateError,
  NotObtainedError,
  ProviderError,
  ProviderUnreachableError,
  type LossReason,
} from './errors.js';
export { LockFactory } from './factory.js';
export { Lock } from './lock.js';
export { open, type OpenOptions } from './open.js';
export type { LockOptions, OnceTimes, TryOptions, WaitOptions } from './options.js';
export type {
  Answer,
  Ask,
  Asker,
  Grant,
  Line,
  LockStore,
  OwnStore,
  ProviderName,
  RedisClient,
  Refusal,
} from './provider/index.js';
export type { RenewalFigures } from './renewal.js';
export type { Held, Outcome, Routine } from './routine.js';
export { exponentialBackoff, limitRetry, linearBackoff, noRetry, type RetryStrategy } from './retry.js';
