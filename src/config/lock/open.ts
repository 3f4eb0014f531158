import { InvalidArgumentError, show } from '../../errors.js';
import { milliseconds, type Duration } from '../../duration.js';
import { LockFactory } from './factory.js';
import { checkText, DEFAULT_LOCK_TERMS, LONGEST_TEXT } from './options.js';
import { PROVIDER_NAMES, PROVIDERS, type ProviderName, type RedisClient } from './provider/index.js';

/** What `open` takes. */
export interface OpenOptions {
  /** Where the locks live. */
  provider: ProviderName;
  /**
   * For `redis`: a client that the application has. Its settings are taken for a connection of our own; it
   * is never subscribed on, never closed by us, and itself not even connected.
   */
  client?: RedisClient | undefined;
  /** Put before every key. */
  prefix?: string | undefined;
  /** How long a lock waits that says nothing of it; without limit when left out. */
  wait?: Duration | undefined;
  /** For `redis`: within which the server answers a command, or it counts as unreachable; `"5s"` when left out. */
  commandTimeout?: Duration | undefined;
  /** For `redis`: the first and the longest pause between two tries of a waiter; `"25ms"` and `"250ms"` when left out. */
  pollMin?: Duration | undefined;
  pollMax?: Duration | undefined;
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
  const {
    provider,
    client,
    prefix = '',
    wait,
    commandTimeout = '5s',
    pollMin = 25,
    pollMax = 250,
    ...strange
  } = options;
  const [unknown] = Object.keys(strange);
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      'open',
      unknown,
      'only provider, client, prefix, wait, commandTimeout, pollMin, pollMax',
    );
  }
  if (!PROVIDER_NAMES.includes(provider)) {
    throw new InvalidArgumentError('provider', provider, `one of ${PROVIDER_NAMES.map(show).join(', ')}`);
  }
  if (provider === 'redis') checkClient(client);
  const store = PROVIDERS[provider]({
    client: () => client!,
    prefix: checkText('prefix', prefix, 0, LONGEST_TEXT),
    limit: milliseconds('commandTimeout', commandTimeout, 1),
    pollMin: milliseconds('pollMin', pollMin, 1),
    pollMax: milliseconds('pollMax', pollMax, 1),
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
