import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { ConnectionOptions } from 'node:tls';
import { timerDelay } from '../../duration.js';
import type { RedisConfig } from './config.js';
import { endpoint, type Endpoint } from './endpoint.js';
import { hush } from './hush.js';
import { isCluster } from './rules.js';

/** An ioredis client: one server, or the master that Sentinels know, or a Cluster. */
export type RedisClient = Redis | Cluster;

/** Options of ioredis; replies keep the shape that the type of the client tells. */
export type ClientOptions = Omit<RedisOptions, 'replyMapping'>;

/** How long a closed connection may take to say goodbye. */
const GOODBYE_MS = 500;

/**
 * Makes a client that connects when it is first used.
 * @param overrides win over what follows from the settings; at a Cluster they go to its nodes, or to the Cluster itself
 *   where it has the option of that name
 */
export function connect(
  config: RedisConfig,
  tls: ConnectionOptions | undefined,
  overrides: ClientOptions,
): RedisClient {
  const endpoints = config.endpoints.map((text) => endpoint(text)!);
  const client = mode(config, endpoints, tls, overrides);
  hush(client);
  client.on('error', (error: unknown) => leaveOther(client, error));
  return client;
}

/** ioredis goes on in database 0 when the server refuses the one of the settings: it is to connect again instead. */
function leaveOther(client: RedisClient, error: unknown): void {
  const { command } = error as { command?: { name?: unknown } };
  if (!(client instanceof Cluster) && command?.name === 'select') client.disconnect(true);
}

function mode(
  config: RedisConfig,
  endpoints: readonly Endpoint[],
  tls: ConnectionOptions | undefined,
  overrides: ClientOptions,
): RedisClient {
  const node = { ...nodeOptions(config, tls), ...overrides };
  if (config.masterName !== '') return new Redis({ ...sentinelOptions(config, endpoints, tls), ...node });
  if (isCluster(config)) return new BoundedCluster([...endpoints], clusterOptions(node));
  return new Redis({ ...endpoints[0]!, ...node });
}

function nodeOptions(config: RedisConfig, tls: ConnectionOptions | undefined): ClientOptions {
  return {
    lazyConnect: true,
    db: config.db,
    connectTimeout: timerDelay(config.connectTimeout),
    commandTimeout: timerDelay(config.commandTimeout),
    disconnectTimeout: GOODBYE_MS,
    ...(config.username !== '' && { username: config.username }),
    ...(config.password !== '' && { password: config.password }),
    ...(tls && { tls }),
  };
}

function sentinelOptions(config: RedisConfig, sentinels: readonly Endpoint[], tls?: ConnectionOptions): ClientOptions {
  return {
    name: config.masterName,
    sentinels: [...sentinels],
    sentinelCommandTimeout: timerDelay(config.commandTimeout),
    ...(config.sentinelUsername !== '' && { sentinelUsername: config.sentinelUsername }),
    ...(config.sentinelPassword !== '' && { sentinelPassword: config.sentinelPassword }),
    ...(tls && { enableTLSForSentinelMode: true, sentinelTLS: tls }),
  };
}

/** Options that a Cluster has itself; the rest is for its nodes. */
const OF_CLUSTER = [
  'lazyConnect',
  'enableOfflineQueue',
  'enableReadyCheck',
  'enableAutoPipelining',
  'autoPipeliningIgnoredCommands',
  'scripts',
  'keyPrefix',
  'showFriendlyErrorStack',
  'natMap',
  'himportFieldsets',
] as const satisfies (keyof ClientOptions & keyof ClusterOptions)[];

function clusterOptions({ retryStrategy, ...options }: ClientOptions) {
  const isOfCluster = (name: string) => (OF_CLUSTER as readonly string[]).includes(name);
  const entries = Object.entries(options);
  return {
    ...Object.fromEntries(entries.filter(([name]) => isOfCluster(name))),
    ...(retryStrategy !== undefined && { clusterRetryStrategy: retryStrategy }),
    redisOptions: Object.fromEntries(entries.filter(([name]) => !isOfCluster(name))),
  };
}

/** ioredis limits the time of a command only once a node has it; while no node answers, it would wait for ever. */
class BoundedCluster extends Cluster {
  override sendCommand(...args: Parameters<Cluster['sendCommand']>): unknown {
    const limit = this.options.redisOptions?.commandTimeout;
    if (limit !== undefined) args[0].setTimeout(limit);
    return super.sendCommand(...args);
  }
}
