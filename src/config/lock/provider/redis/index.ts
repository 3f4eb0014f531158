export type { RedisClient } from './connection.js';
export { RedisStore, type RedisStoreOptions } from './store.js';
