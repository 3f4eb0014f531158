export type { RedisClient } from './client.js';
export { RedisStore, type RedisStoreOptions } from './store.js';
