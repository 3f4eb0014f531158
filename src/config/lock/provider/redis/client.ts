import type { Cluster, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import type { Milliseconds } from '../../../../duration.js';
import { Connector } from '../../../redis/connector.js';
import { inTime } from './at_most.js';
import { hinted } from './hints.js';
import { isReplyError } from './reply_error.js';

/** An ioredis client of the application, for a standalone server, Sentinel or a Cluster. */
export type RedisClient = Redis | Cluster;

/**
 * What our own connection must have, whatever the application's client has: it is opened when a question is there and
 * never reopened by itself, so that no reconnecting outlives the need; an unanswered command is rejected at once instead
 * of being sent again behind our back; no timer and no further connection lives beside it.
 */
const OWN: Partial<RedisOptions> = {
  lazyConnect: true,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
  failoverDetector: false,
  role: 'master',
  reconnectOnError: null,
  enableOfflineQueue: true,
  // The first answer says as much, and why not; ioredis would keep that to itself, and ask again when a guess of Redis is over.
  enableReadyCheck: false,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  socketTimeout: undefined,
  disconnectTimeout: 250,
  stringNumbers: false,
  keyPrefix: '',
  protocol: 3,
  replyMapping: 'legacy',
  readOnly: false,
  monitor: false,
};

/**
 * The same for a cluster, whose client would otherwise send again what a lost node may have done, or hold back what is past by the time
 * it is sent on.
 */
const OWN_CLUSTER: Partial<ClusterOptions> = {
  lazyConnect: true,
  clusterRetryStrategy: () => null,
  clusterNodeRetryStrategy: () => null,
  enableOfflineQueue: true,
  // It would ask one node of them, by chance, and wait for it without end. We ask: `inOrder`.
  enableReadyCheck: false,
  enableAutoPipelining: false,
  keyPrefix: '',
  scaleReads: 'master',
  shardedSubscribers: false,
  slotsRefreshInterval: undefined,
  retryDelayOnFailover: 0,
  retryDelayOnClusterDown: 0,
  retryDelayOnMoved: 0,
  maxRedirections: 16,
};

/** A server that says nothing for so long when it is asked is left out, and a connection dead. */
export const SILENCE: Milliseconds = 1_000;

/** A master of a cluster that does not say for so long whether that is in order is not waited for alone; the last one is waited for longer. */
const SOON: Milliseconds = 50;

/** A server behind Sentinels that still loads its data is asked again after this time. */
const LOADING_PAUSE: Milliseconds = 500;

/** A Sentinel that takes longer is passed over: the next one must be asked within the limit of a command. */
const SENTINEL_LIMIT: Milliseconds = 1_000;

/**
 * A connection of our own to where the application's client leads; not connected yet.
 * @param turn another number, another Sentinel to ask first
 */
export function duplicate(source: RedisClient, turn: number): RedisClient {
  if (!isCluster(source)) return duplicateOne(source, turn);
  const theirs = source.options.redisOptions;
  const redisOptions = { Connector, ...theirs, ...OWN };
  return source.duplicate([], { ...OWN_CLUSTER, redisOptions } as never);
}

/**
 * The same to one server.
 * @param more what this connection has besides
 */
export function duplicateOne(source: Redis, turn = 0, more: RedisOptions = {}): Redis {
  const connector = source.options.sentinels ? {} : { Connector: source.options.Connector ?? Connector };
  return source.duplicate({ ...OWN, ...connector, ...behindSentinels(source.options, turn), ...more });
}

function behindSentinels(
  { sentinels, connectTimeout, sentinelCommandTimeout }: RedisOptions,
  turn: number,
): RedisOptions {
  if (!sentinels) return {};
  const first = turn % sentinels.length;
  return {
    // A Sentinel may name a server that is no master any more: ioredis looks at that with its ready check alone.
    enableReadyCheck: true,
    maxLoadingRetryTime: LOADING_PAUSE,
    sentinels: [...sentinels.slice(first), ...sentinels.slice(0, first)],
    connectTimeout: Math.min(connectTimeout ?? Infinity, SENTINEL_LIMIT),
    sentinelCommandTimeout: Math.min(sentinelCommandTimeout ?? Infinity, SENTINEL_LIMIT),
  };
}

/**
 * ioredis goes on in database 0 when the server refuses the one that was asked for. There it would be another lock.
 * @throws ReplyError the server refuses it
 */
export async function selected(client: RedisClient): Promise<void> {
  if (isCluster(client)) return;
  const { db } = client.options;
  if (db) await client.select(db);
}

/**
 * Sees to it that a cluster is in order, by what the first of its masters says that says so; after a pause each time another is asked.
 * Where one says no, the node that named it may have been lost by the others, and another may know more. Those who say nothing may be
 * far away: that is left to what is asked of them.
 * @throws Error one says no, and none yes; or none can be asked
 */
export async function inOrder(client: RedisClient): Promise<void> {
  if (!isCluster(client)) return;
  let lost: Error | undefined;
  const reasons: Error[] = [];
  const ask = async (node: Redis): Promise<void> => {
    try {
      const info = await node.cluster('INFO');
      if (/^cluster_state:fail/m.test(info))
        throw (lost = new Error(`cluster_state is fail, as ${placeOf(node)} sees it`));
    } catch (error) {
      // Who may not ask, or not yet, is told by the answer to what he wants.
      if (isReplyError(error)) return;
      reasons.push(plain(error));
      throw error;
    }
  };
  const asked: Promise<void>[] = [];
  const masters = nodesOf(client, 'master');
  for (const node of masters) {
    asked.push(ask(node));
    const patience = asked.length < masters.length ? SOON : SILENCE;
    if (await inTime(patience, Promise.any(asked)).then(yes, no)) return;
  }
  if (lost) throw lost;
  if (reasons.length === masters.length) throw reasons[0] ?? new Error('no master of the cluster is known');
}

const yes = (): boolean => true;
const no = (): boolean => false;

/** Ends it at once, and with it what is unanswered. */
export function disconnect(client: RedisClient): void {
  // On a connection that has ended, ioredis would wait for it to end, and keep the process alive meanwhile.
  if (client.status === 'end') return;
  const nodes = nodesOf(client);
  client.disconnect();
  // So it would for a silent server to agree.
  for (const node of nodes) node.stream?.destroy();
}

/** Resolves when the server says something, be it that it refuses. */
export async function answers(client: Redis): Promise<void> {
  await client.ping().catch((error: unknown) => {
    if (!isReplyError(error)) throw error;
  });
}

/** Whether its sockets keep the process alive. */
export function keepAlive(client: RedisClient, alive: boolean): void {
  const change = alive ? 'ref' : 'unref';
  // Twice for each question: without a list of one.
  if (!isCluster(client)) return void client.stream?.[change]();
  for (const { stream } of nodesOf(client)) stream?.[change]();
}

/** The connections to servers that it consists of. */
export function nodesOf(client: RedisClient, role: 'all' | 'master' = 'all'): Redis[] {
  return isCluster(client) ? client.nodes(role) : [client];
}

export function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster;
}

/** Where a client leads, for messages. */
export function placeOf(client: RedisClient): string {
  if (isCluster(client)) return 'a cluster';
  const { sentinels, name, path, host, port, tls } = client.options;
  if (sentinels) return `the master ${JSON.stringify(name)} behind its Sentinels`;
  return `${path ?? `${host}:${port}`}${tls ? ' over TLS' : ''}`;
}

/** Hears why a connection is not made, with the address, which ioredis does not always tell. */
export function onTrouble(client: RedisClient, told: (why: Error) => void): void {
  const failed = new Set<string>();
  client.on('node error', (_: Error, node: string) => failed.add(node));
  client.on('error', (error: Error) => {
    const why = plain(error);
    why.message = located(client, why, failed);
    told(why);
  });
}

/** @param failed the nodes of a cluster that did not answer */
function located(client: RedisClient, { message, code }: NodeJS.ErrnoException, failed: ReadonlySet<string>): string {
  if (isCluster(client)) return failed.size > 0 ? `${message} (${[...failed].sort().join(', ')})` : message;
  const { sentinels, name, path, port } = client.options;
  const [, said] = OF_SENTINELS.exec(message) ?? [];
  if (sentinels && said !== undefined) {
    const asked = sentinels.map((one) => `${one.host}:${one.port}`).join(', ');
    return `no Sentinel (${asked}) names a master ${JSON.stringify(name)}: ${hinted(said)}`;
  }
  const isBare = code !== undefined && !message.includes(path ?? String(port));
  return isBare ? `${message} (${placeOf(client)})` : message;
}

/** What ioredis says when none has helped: reachable or not, it was asked, and the last answer is what matters. */
const OF_SENTINELS = /^All sentinels are unreachable.*Last error: (.*)$/s;

/** The error without what ioredis hangs on it: the arguments of a refused AUTH are there, with the password. */
export function plain(error: unknown): Error {
  const { errors, lastNodeError, message } = error as Error & { errors?: Error[]; lastNodeError?: Error };
  const first = errors?.[0] ?? lastNodeError ?? (error as Error);
  const text = first.message || String((first as NodeJS.ErrnoException).code ?? first.name);
  // Of a cluster's node ioredis often knows no more than that its connection is closed.
  const bare = new Error(lastNodeError && !isReplyError(lastNodeError) ? `${message} ${text}` : text);
  return Object.assign(bare, { name: first.name, code: (first as NodeJS.ErrnoException).code });
}
