import type { Cluster, Redis, RedisOptions } from 'ioredis';
import type { Milliseconds } from '../../../../duration.js';
import { SCRIPT, SCRIPT_SHA } from './script.js';

/** An ioredis client of the application, for a standalone server, Sentinel or a Cluster. */
export type RedisClient = Redis | Cluster;

/** How long an unused connection to a cluster stays open: its many sockets cannot be told not to keep a process alive. */
const CLUSTER_IDLE: Milliseconds = 250;

/**
 * What our own connection must have, whatever the application's client has: it is opened when a question is there and
 * never reopened by itself, so that no reconnecting outlives the need; an unanswered command is rejected at once instead
 * of being sent again behind our back.
 */
const OWN: Partial<RedisOptions> = {
  lazyConnect: true,
  retryStrategy: () => null,
  sentinelRetryStrategy: () => null,
  reconnectOnError: null,
  enableOfflineQueue: true,
  autoResendUnfulfilledCommands: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: null,
  commandTimeout: undefined,
  stringNumbers: false,
  readOnly: false,
  monitor: false,
};

/**
 * Our own connection beside the application's client: never its client itself, which may be subscribed, blocked or closed
 * at any time. Opened at the first question and again after it broke. An idle connection does not keep the process alive.
 */
export class Connection {
  /** Whether the server is a cluster, where one call may only touch keys of one slot. */
  readonly cluster: boolean;
  /** Counts the connections made: an answer on a later one tells nothing about what is on its way on an earlier one. */
  generation = 0;
  /** What the last connection broke with. */
  lastError: Error | undefined;
  #client: RedisClient | undefined;
  #opening: Promise<RedisClient> | undefined;
  #uses = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(private readonly source: RedisClient) {
    this.cluster = source.isCluster;
  }

  /**
   * Runs the script once.
   * @throws ReplyError when the server refused the call as a whole; any other error when the answer did not come
   */
  async run(keys: string[], args: (string | number)[]): Promise<unknown[]> {
    this.#use(1);
    try {
      const client = this.#client?.status === 'ready' ? this.#client : await this.#open();
      return await evaluate(client, keys, args);
    } finally {
      this.#use(-1);
    }
  }

  /** Breaks the connection: whatever is unanswered is rejected, and the next question opens a new one. */
  drop(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#opening = undefined;
    clearTimeout(this.#idle);
    if (client) disconnect(client);
  }

  #open(): Promise<RedisClient> {
    this.#opening ??= this.#connect().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  async #connect(): Promise<RedisClient> {
    const client = duplicate(this.source);
    this.#client = client;
    this.generation += 1;
    client.on('error', (error: Error) => (this.lastError = plain(error)));
    client.once('end', () => {
      if (this.#client === client) this.#client = undefined;
    });
    try {
      await client.connect();
    } catch (error) {
      disconnect(client);
      throw this.lastError ?? error;
    }
    this.#hold(this.#uses > 0);
    return client;
  }

  #use(change: 1 | -1): void {
    this.#uses += change;
    if (this.#uses === (change === 1 ? 1 : 0)) this.#hold(change === 1);
  }

  /** A connection with questions under way keeps the process alive; an idle one does not. */
  #hold(busy: boolean): void {
    clearTimeout(this.#idle);
    const client = this.#client;
    if (!client) return;
    if (!busy && client.status !== 'ready') return this.drop();
    if (!isCluster(client)) return void (busy ? client.stream.ref() : client.stream.unref());
    if (!busy) this.#idle = setTimeout(() => this.drop(), CLUSTER_IDLE);
  }
}

/** The script by its name; by its text when the server has forgotten it, or has never seen it. */
async function evaluate(client: RedisClient, keys: string[], args: (string | number)[]): Promise<unknown[]> {
  try {
    return (await client.evalsha(SCRIPT_SHA, keys.length, ...keys, ...args)) as unknown[];
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return (await client.eval(SCRIPT, keys.length, ...keys, ...args)) as unknown[];
  }
}

function duplicate(source: RedisClient): RedisClient {
  if (!isCluster(source)) return source.duplicate(OWN);
  const { lazyConnect, enableAutoPipelining, ...redisOptions } = OWN;
  const own = {
    lazyConnect: lazyConnect!,
    enableAutoPipelining: enableAutoPipelining!,
    clusterRetryStrategy: () => null,
  };
  return source.duplicate([], { ...own, redisOptions: { ...source.options.redisOptions, ...redisOptions } } as never);
}

function disconnect(client: RedisClient): void {
  // On a connection that has ended, ioredis would wait two seconds for it to end, and keep the process alive meanwhile.
  if (client.status === 'end') return;
  client.disconnect();
  // So it would for a silent server to agree.
  if (!isCluster(client)) client.stream?.destroy();
}

function isCluster(client: RedisClient): client is Cluster {
  return client.isCluster;
}

/** The error without what ioredis hangs on it: the arguments of a refused AUTH are there, with the password. */
export function plain(error: unknown): Error {
  const first = error instanceof AggregateError ? (error.errors[0] as Error) : (error as Error);
  const bare = new Error(first.message || String((first as NodeJS.ErrnoException).code ?? first.name));
  return Object.assign(bare, { name: first.name, code: (first as NodeJS.ErrnoException).code });
}
