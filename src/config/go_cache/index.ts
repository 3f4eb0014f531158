/** The component `go_cache`; importing this registers it on the default container. */
import { builtIn, component, defaultIoc, type Ioc } from '../../ioc/index.js';
import type { Cache } from './cache.js';
import { GoCacheConfig } from './config.js';

export { Cache } from './cache.js';
export { GoCacheConfig } from './config.js';

component('config', GoCacheConfig);

/**
 * The cache of a container.
 * @param container one's own; without it, the default one
 * @throws {NotReadyError} the container is not set up, or was stopped
 * @see Go: ioc/config/gocache, C
 */
export function C(container: Ioc = defaultIoc): Cache {
  return get(container).cache();
}

/** The component with its settings, before setup at their defaults. */
export function get(container: Ioc = defaultIoc): GoCacheConfig {
  return builtIn(container, 'go_cache');
}
