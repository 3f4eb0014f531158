/** The component `redis`; importing this registers it on the default container. Nothing connects until it is used. */
import { builtIn, component, defaultIoc, type Ioc } from '../../ioc/index.js';
import { RedisConfig } from './config.js';
import type { RedisClient } from './connect.js';

export { RedisConfig } from './config.js';
export type { ClientOptions, RedisClient } from './connect.js';

component('config', RedisConfig);

/**
 * The ioredis client of a container; connects with its first command.
 * @param container one's own; without it, the default one
 * @throws {NotReadyError} the container is not set up, or was stopped
 * @see Go: ioc/config/redis, Client
 */
export function client(container: Ioc = defaultIoc): RedisClient {
  return get(container).client();
}

/** The component with its settings, before setup at their defaults. */
export function get(container: Ioc = defaultIoc): RedisConfig {
  return builtIn(container, 'redis');
}
