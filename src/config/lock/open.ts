import { InvalidArgumentError, show } from '../../errors.js';
import { milliseconds, type Duration } from '../../duration.js';
import { LockFactory } from './factory.js';
import { checkFlag, checkText, checkWhole, LONGEST_TEXT } from './options.js';
import {
  LARGEST_BATCH,
  PROVIDER_NAMES,
  PROVIDERS,
  REDIS_DEFAULTS,
  storeCopy,
  type ProviderName,
  type RedisClient,
  type Resources,
  type StoreCopy,
} from './provider/index.js';

/** What `open` takes: where the locks live, and what else is to be said. */
export type OpenOptions = FurtherOptions &
  (
    | {
        provider: 'redis';
        /**
         * A client that the application has. Its settings are taken for a connection of our own; it is never subscribed on,
         * never closed by us, and itself not even connected.
         */
        client: RedisClient;
      }
    | { provider: Exclude<ProviderName, 'redis'>; client?: RedisClient | undefined }
  );

interface FurtherOptions {
  /** Put before every key. */
  prefix?: string | undefined;
  /** The longest wait of a lock that has none of its own; without limit when left out. */
  wait?: Duration | undefined;
  /** Whether waiting for a key inside a routine that holds it is an immediate `LockDeadlockError`; false when left out. */
  detectDeadlock?: boolean | undefined;
  /** For `redis`: within which the server answers a command, or it counts as unreachable; `"5s"` when left out. */
  commandTimeout?: Duration | undefined;
  /** For `redis`: the first pause between two tries of a waiter that cannot be told; `"25ms"` when left out. */
  pollMin?: Duration | undefined;
  /** For `redis`: the longest such pause; `"250ms"` when left out. */
  pollMax?: Duration | undefined;
  /** For `redis`: operations that may leave as one command, 1 to 1,024; 128 when left out. */
  batchCap?: number | undefined;
  /**
   * For `redis`: lets a contended key be free for 10 ms, ten times a second at most, so that Go services, which poll, find it;
   * off when left out.
   */
  yield?: boolean | undefined;
  /**
   * For `redis`: renews leases from a thread of its own, with connections of its own, so that a busy event loop does not lose
   * them; off when left out. A process that never comes back from what it does keeps what it renews: give those a `maxHold`.
   */
  renewalThread?: boolean | undefined;
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
    prefix = REDIS_DEFAULTS.prefix,
    wait,
    detectDeadlock,
    commandTimeout = REDIS_DEFAULTS.limit,
    pollMin = REDIS_DEFAULTS.pollMin,
    pollMax = REDIS_DEFAULTS.pollMax,
    batchCap = REDIS_DEFAULTS.batchCap,
    yield: yields = REDIS_DEFAULTS.yield,
    renewalThread = false,
    ...strange
  } = options;
  const [unknown] = Object.keys(strange);
  if (unknown !== undefined) {
    throw new InvalidArgumentError(
      'open',
      unknown,
      'only provider, client, prefix, wait, detectDeadlock, commandTimeout, pollMin, pollMax, batchCap, yield, renewalThread',
    );
  }
  if (!PROVIDER_NAMES.includes(provider)) {
    throw new InvalidArgumentError('provider', provider, `one of ${PROVIDER_NAMES.map(show).join(', ')}`);
  }
  if (provider === 'redis') checkClient(client);
  const pauses = { pollMin: milliseconds('pollMin', pollMin, 1), pollMax: milliseconds('pollMax', pollMax, 1) };
  if (pauses.pollMax < pauses.pollMin) {
    if (options.pollMax === undefined)
      throw new InvalidArgumentError('pollMin', pollMin, `at most pollMax, ${pauses.pollMax} ms`);
    throw new InvalidArgumentError('pollMax', pollMax, `at least pollMin, ${pauses.pollMin} ms`);
  }
  const resources: Resources = {
    client: () => client!,
    prefix: checkText('prefix', prefix, 0, LONGEST_TEXT),
    limit: milliseconds('commandTimeout', commandTimeout, 1),
    ...pauses,
    batchCap: checkWhole('batchCap', batchCap, 1, LARGEST_BATCH),
    yield: checkFlag('yield', yields),
  };
  const copy = checkFlag('renewalThread', renewalThread) ? copied(provider, resources) : undefined;
  return new LockFactory(PROVIDERS[provider](resources), { wait, detectDeadlock }, copy);
}

function copied(provider: ProviderName, resources: Resources): StoreCopy | undefined {
  try {
    return storeCopy(provider, resources);
  } catch (error) {
    throw new InvalidArgumentError('renewalThread', true, `false: ${(error as Error).message}`);
  }
}

/** @throws {InvalidArgumentError} it is no client of ioredis */
export function checkClient(client: unknown): RedisClient {
  const parts = client as Partial<RedisClient> | null | undefined;
  if (typeof parts?.duplicate === 'function' && typeof parts.evalsha === 'function') return client as RedisClient;
  throw new InvalidArgumentError('client', client, 'an ioredis client (new Redis() or new Redis.Cluster())');
}
