import { InvalidArgumentError, show } from '../../errors.js';
import { milliseconds, type Duration } from '../../duration.js';
import { LockFactory } from './factory.js';
import { checkText, DEFAULT_LOCK_TERMS, LONGEST_TEXT } from './options.js';
import { PROVIDER_NAMES, PROVIDERS, type ProviderName, type RedisClient } from './provider/index.js';

/** What `open` takes. */
export interface OpenOptions {
  /** Where the locks live. */
  provider: ProviderName;
  /** For `redis`: a client that the application has. It is never subscribed on and never closed by us. */
  client?: RedisClient;
  /** Put before every key. */
  prefix?: string;
  /** How long a lock waits that says nothing of it; without limit when left out. */
  wait?: Duration;
  /** For `redis`: within which the server answers a command, or it counts as unreachable; `"5s"` when left out. */
  commandTimeout?: Duration;
}

/**
 * Gives locks without a container.
 * @returns a factory with a line of its own; `close()` it when done
 * @throws {InvalidArgumentError} an option is wrong, or `redis` comes without a client
 */
export function open(options: OpenOptions): LockFactory {
  if (typeof options !== 'object' || options === null) {
    throw new InvalidArgumentError('open', options, 'options such as { provider: "go_cache" }');
  }
  const { provider, client, prefix = '', wait, commandTimeout = '5s', ...strange } = options;
  const [unknown] = Object.keys(strange);
  if (unknown !== undefined) {
    throw new InvalidArgumentError('open', unknown, 'only provider, client, prefix, wait, commandTimeout');
  }
  if (!PROVIDER_NAMES.includes(provider)) {
    throw new InvalidArgumentError('provider', provider, `one of ${PROVIDER_NAMES.map(show).join(', ')}`);
  }
  if (provider === 'redis') checkClient(client);
  const store = PROVIDERS[provider]({
    client: () => client!,
    prefix: checkText('prefix', prefix, 0, LONGEST_TEXT),
    limit: milliseconds('commandTimeout', commandTimeout, 1),
  });
  return new LockFactory(store, {
    ...DEFAULT_LOCK_TERMS,
    wait: wait === undefined ? undefined : milliseconds('wait', wait),
  });
}

function checkClient(client: unknown): void {
  const parts = client as Partial<RedisClient> | undefined;
  if (typeof parts?.duplicate === 'function' && typeof parts.evalsha === 'function') return;
  throw new InvalidArgumentError('client', client, 'an ioredis client (new Redis() or new Redis.Cluster())');
}
