import { copyOf, openCopy, type ClientCopy } from '../../redis/copy.js';
import { GoCacheStore } from './go_cache.js';
import { RedisStore, type RedisClient, type RedisStoreOptions } from './redis/index.js';
import type { LockStore } from './store.js';

/** What a provider may be opened with. */
export interface Resources extends RedisStoreOptions {
  /** The ioredis client whose server holds the locks; asked for by the provider that needs it. */
  readonly client: () => RedisClient;
}

/** The providers: the word in `[lock] provider`, and how its store opens. A new one is one line here. */
export const PROVIDERS = {
  go_cache: () => new GoCacheStore(),
  redis: ({ client, ...options }) => new RedisStore(client(), options),
} satisfies Record<string, (resources: Resources) => LockStore>;

/** What another thread needs to open a store once more: plain data, secrets included. */
export interface StoreCopy {
  readonly client: ClientCopy;
  readonly options: RedisStoreOptions;
}

/**
 * The copy of a store; undefined where no other thread could reach the same locks.
 * @throws {Error} the client cannot be copied; the message says why
 */
export function storeCopy(provider: ProviderName, { client, ...options }: Resources): StoreCopy | undefined {
  return provider === 'redis' ? { client: copyOf(client()), options } : undefined;
}

/** Opens the store of a copy, for renewals alone. */
export function openStoreCopy({ client, options }: StoreCopy): LockStore {
  return new RedisStore(openCopy(client), { ...options, yield: false });
}

/** The name of a provider. */
export type ProviderName = keyof typeof PROVIDERS;

/** The names of all providers, for checks, messages and the command line. */
export const PROVIDER_NAMES = Object.keys(PROVIDERS) as ProviderName[];

export { LARGEST_BATCH, REDIS_DEFAULTS, type RedisClient } from './redis/index.js';
export type { Answer, Ask, Asker, Grant, Line, LockStore, OwnStore, Refusal } from './store.js';
