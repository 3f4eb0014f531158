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
  /** Questions under way for which somebody waits, and those of the background, for which the process need not live. */
  #uses = 0;
  #errands = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor(private readonly source: RedisClient) {
    this.cluster = source.isCluster;
  }

  /**
   * Runs the script once, with what `request` gives in the moment it is sent.
   * @param signal nobody waits for the answer any more; what was sent cannot be called back
   * @throws ReplyError when the server refused the call as a whole; any other error when the answer did not come
   */
  async run(request: () => ScriptCall, signal: AbortSignal, errand: boolean): Promise<unknown[]> {
    this.#use(1, errand);
    try {
      const client = this.#client?.status === 'ready' ? this.#client : await unless(signal, this.#open());
      return await unless(signal, evaluate(client, request()));
    } finally {
      this.#use(-1, errand);
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
    const connecting = client.connect();
    // By then there is a socket, which must not keep the process alive for an errand of the background.
    setImmediate(() => this.#hold());
    try {
      await connecting;
    } catch (error) {
      disconnect(client);
      throw this.lastError ?? error;
    }
    this.#hold();
    return client;
  }

  #use(change: 1 | -1, errand: boolean): void {
    if (errand) this.#errands += change;
    else this.#uses += change;
    if (this.#uses + this.#errands === 0 || this.#uses === 1) this.#hold();
  }

  /** A connection keeps the process alive while somebody waits for an answer, and is pursued only while it is wanted. */
  #hold(): void {
    clearTimeout(this.#idle);
    const client = this.#client;
    if (!client) return;
    const wanted = this.#uses + this.#errands > 0;
    if (!wanted && client.status !== 'ready') this.drop();
    else if (!isCluster(client)) client.stream?.[this.#uses > 0 ? 'ref' : 'unref']();
    else if (!wanted) this.#idle = setTimeout(() => this.drop(), CLUSTER_IDLE);
  }
}

/** Keys and arguments of one run of the script. */
export interface ScriptCall {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

/** The script by its name; by its text when the server has forgotten it, or has never seen it. */
async function evaluate(client: RedisClient, { keys, args }: ScriptCall): Promise<unknown[]> {
  try {
    return (await client.evalsha(SCRIPT_SHA, keys.length, ...keys, ...args)) as unknown[];
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return (await client.eval(SCRIPT, keys.length, ...keys, ...args)) as unknown[];
  }
}

/** A promise, or the abort of the signal before it settles. */
function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
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
