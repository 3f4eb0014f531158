/**
 * Locks whose provider is one word of configuration, in an IoC container with configuration components.
 * Importing this registers the components `lock`, `redis` and `go_cache` on the default container; nothing connects until
 * it is used.
 */
export * as ioc from './ioc/index.js';
export * as lock from './config/lock/index.js';
export * as redis from './config/redis/index.js';
export * as goCache from './config/go_cache/index.js';

export { InvalidArgumentError, IocError, NotReadyError } from './errors.js';
export {
  AmbiguousObjectError,
  CircularDependencyError,
  CloseError,
  ConfigError,
  ContainerRunningError,
  DuplicateObjectError,
  ObjectNotFoundError,
  StartError,
  StopError,
} from './ioc/index.js';
export {
  LockDeadlockError,
  LockLostError,
  LockNotHeldError,
  LockStateError,
  NotObtainedError,
  ProviderError,
  ProviderUnreachableError,
} from './config/lock/index.js';
