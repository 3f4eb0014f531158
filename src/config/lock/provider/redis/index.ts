export type { RedisClient } from './client.js';
export { LARGEST_BATCH } from './batch.js';
export { REDIS_DEFAULTS, RedisStore, type RedisStoreOptions } from './store.js';
