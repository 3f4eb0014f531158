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
  keyPrefix: '',
  protocol: 3,
  readOnly: false,
  monitor: false,
};

/** What the connection tells its owner. */
export interface Listener {
  /** A message on our channel. */
  message(text: string): void;
  /** The connection on which we listened is gone. */
  lost(): void;
  /** Whether somebody waits for messages: then a new connection listens from its beginning. */
  wanted(): boolean;
}

/**
 * Our own connection beside the application's client: never its client itself, which may be subscribed, blocked or closed
 * at any time. Opened at the first question and again after it broke. An idle connection does not keep the process alive.
 */
export class Connection {
  /** Whether the server is a cluster, where one call may only touch keys of one slot. */
  readonly cluster: boolean;
  /** What the application's client puts before every key; ours puts nothing, so that we know the slot of a key. */
  readonly keyPrefix: string;
  /** Whether the present connection hears our channel. */
  listening = false;
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
  /** A second connection to listen on, where the server speaks RESP2: there a connection that listens can do nothing else. */
  #ear: Redis | undefined;
  /** Listening was refused for good: waiters poll. */
  #mute = false;

  constructor(
    private readonly source: RedisClient,
    private readonly channel: string,
    private readonly listener: Listener,
  ) {
    this.cluster = source.isCluster;
    this.keyPrefix = source.options.keyPrefix ?? '';
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

  /** Hears our channel from now on; whether it does. */
  async listen(): Promise<boolean> {
    const client = this.#client;
    if (this.listening || this.#mute || client?.status !== 'ready') return this.listening;
    this.#use(1, false);
    try {
      await this.#subscribe(client);
    } catch (error) {
      if (!isReplyError(error)) return false;
      this.#mute = true;
      process.emitWarning(
        `lock: redis refuses SUBSCRIBE (${plain(error).message}), so that waiters ask again and again`,
        {
          type: 'LockWarning',
          code: 'LOCK_NO_SUBSCRIBE',
        },
      );
    } finally {
      this.#use(-1, false);
    }
    return this.listening;
  }

  /** Breaks the connection: whatever is unanswered is rejected, and the next question opens a new one. */
  drop(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#opening = undefined;
    clearTimeout(this.#idle);
    this.#hushed();
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
      if (this.#client !== client) return;
      this.#client = undefined;
      this.#hushed();
    });
    client.on('message', (channel: string, text: string) => this.#hear(channel, text));
    const connecting = client.connect();
    // By then there is a socket, which must not keep the process alive for an errand of the background.
    setImmediate(() => this.#hold());
    try {
      await connecting;
    } catch (error) {
      disconnect(client);
      throw this.lastError ?? error;
    }
    if (this.listener.wanted()) await this.listen();
    this.#hold();
    return client;
  }

  /** In RESP3 on the same connection, so that a message comes before the reply of the script that caused it. */
  async #subscribe(client: RedisClient): Promise<void> {
    if (isCluster(client)) {
      await Promise.all(client.nodes('master').map((node) => this.#subscribeNode(node)));
    } else if (speaksResp3(client)) {
      await client.subscribe(this.channel);
    } else {
      this.#ear = await this.#openEar(client);
    }
    this.listening = this.#client === client;
  }

  /** A script's PUBLISH counts the listeners on its own node alone, so that we listen on every master. */
  async #subscribeNode(node: Redis): Promise<void> {
    node.on('message', (channel: string, text: string) => this.#hear(channel, text));
    await node.subscribe(this.channel);
  }

  async #openEar(client: Redis): Promise<Redis> {
    const ear = client.duplicate();
    ear.on('error', (error: Error) => (this.lastError = plain(error)));
    ear.on('message', (channel: string, text: string) => this.#hear(channel, text));
    ear.once('end', () => {
      if (this.#ear === ear) this.#hushed();
    });
    await ear.connect();
    ear.stream.unref();
    await ear.subscribe(this.channel);
    return ear;
  }

  #hear(channel: string, text: string): void {
    if (channel === this.channel) this.listener.message(text);
  }

  #hushed(): void {
    const ear = this.#ear;
    this.#ear = undefined;
    if (ear) disconnect(ear);
    if (!this.listening) return;
    this.listening = false;
    this.listener.lost();
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
    const wanted = this.#uses + this.#errands > 0 || (this.cluster && this.listener.wanted());
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
  const { lazyConnect, enableAutoPipelining, keyPrefix, ...redisOptions } = OWN;
  const own = {
    lazyConnect: lazyConnect!,
    enableAutoPipelining: enableAutoPipelining!,
    clusterRetryStrategy: () => null,
  };
  return source.duplicate([], { ...own, redisOptions: { ...source.options.redisOptions, ...redisOptions } } as never);
}

/** Whether the handshake agreed on RESP3; ioredis falls back to RESP2 where the server knows no other. */
function speaksResp3(client: Redis): boolean {
  return (client as unknown as { condition?: { protocol?: number } }).condition?.protocol === 3;
}

function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
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
