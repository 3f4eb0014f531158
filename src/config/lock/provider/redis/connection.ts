import type { Cluster, Redis } from 'ioredis';
import type { Milliseconds } from '../../../../duration.js';
import {
  disconnect,
  duplicate,
  inOrder,
  isCluster,
  keepAlive,
  nodesOf,
  onTrouble,
  placeOf,
  selected,
  type RedisClient,
} from './client.js';
import { Ears } from './ears.js';
import { Evaluator, type Asking } from './evaluate.js';
import { isForNow, isReplyError } from './reply_error.js';
import type { Carrier } from './run.js';

/**
 * Where it failed, waiters poll for so long before it is tried again, and for twice as long each time it fails once more on the same
 * connection: each try may take a connection of its own.
 */
const FIRST_LISTEN_PAUSE: Milliseconds = 100;
const LAST_LISTEN_PAUSE: Milliseconds = 5_000;

/**
 * Who heard for less was lost early. From the fourth time in a row on there is a pause before we hear again, or it would be tried again
 * and again.
 */
const SHORT_LIVED: Milliseconds = 1_000;
const EARLY_LOSSES = 3;
const LAST_EARLY_PAUSE: Milliseconds = 500;

/** A node of a cluster that has not taken a connection for so long is tried only while somebody waits. */
const CONNECT_LIMIT: Milliseconds = 1_000;

/** How Redis words, in a script, what a user may not do: since version 7, and before. */
const REFUSED = /NOPERM|ACL|The user executing the script can't/;

/** What the connection tells its owner. */
export interface Listener {
  /** A message on our channel, heard on this connection. */
  message(text: string, carrier: Carrier): void;
  /** A message may have been missed: everybody in line should ask for himself. */
  lost(): void;
  /** Whether somebody waits for messages: then a new connection listens from its beginning. */
  wanted(): boolean;
}

/**
 * Our own connection beside the application's client: never its client itself, which may be subscribed, blocked or closed
 * at any time. Opened at the first question and again after it broke. An idle connection does not keep the process alive.
 */
export class Connection implements Carrier {
  /** Whether the server is a cluster, where one call may only touch keys of one slot. */
  readonly cluster: boolean;
  /** What the application's client puts before every key; ours puts nothing, so that we know the slot of a key. */
  readonly keyPrefix: string;
  /** Whether our channel is heard. */
  listening = false;
  /** Counts the connections made: an answer on a later one tells nothing about what is on its way on an earlier one. */
  generation = 0;
  #client: RedisClient | undefined;
  #opening: Promise<RedisClient> | undefined;
  /** Questions under way for which somebody waits, and those of the background, for which the process need not live. */
  #uses = 0;
  #errands = 0;
  readonly #ears: Ears;
  /** Nodes of a cluster that have not taken a connection in time. */
  readonly #stuck = new Set<Redis>();
  readonly #evaluator = new Evaluator();
  /** Listening was refused for good: waiters poll. */
  #mute = false;
  /** Listening has failed on this connection: not to be tried again before this time, on `performance.now()`. */
  #deafUntil: Milliseconds = 0;
  /** Since when it is heard, or was; how often in a row it was lost early; and until when it rests for that. */
  #heardSince: Milliseconds = 0;
  #earlyLosses = 0;
  #restUntil: Milliseconds = 0;
  /** The pause after the next failure. */
  #listenPause = FIRST_LISTEN_PAUSE;

  constructor(
    private readonly source: RedisClient,
    private readonly channel: string,
    private readonly listener: Listener,
  ) {
    this.cluster = source.isCluster;
    this.keyPrefix = source.options.keyPrefix ?? '';
    this.#ears = new Ears(
      channel,
      (text) => listener.message(text, this),
      () => this.#missed(),
    );
  }

  /**
   * Runs the script once.
   * @param request as that of `Asking`
   * @param signal nobody waits for the answer any more; what was sent cannot be called back
   * @param late is told when an answer comes after that
   * @throws ReplyError when the server refused the call as a whole; any other error when the answer did not come
   */
  async run(request: Asking['request'], signal: AbortSignal, errand: boolean, late: () => void): Promise<unknown> {
    this.#use(1, errand);
    try {
      const client = this.isOpen ? this.#client! : await unless(signal, this.#open());
      return await unless(
        signal,
        new Promise((resolve, reject) => {
          const answered = (reply: unknown): void => (signal.aborted ? late() : resolve(reply));
          this.#evaluator.evaluate(client, { request, answered, failed: reject });
        }),
      );
    } finally {
      this.#use(-1, errand);
    }
  }

  /** Our channel, if the one connection that there is hears it. */
  get ownChannel(): string {
    return this.listening && !this.cluster && this.#ears.alone ? this.channel : '';
  }

  /** Whether there is a connection, so that nothing must be waited for before a question is sent. */
  get isOpen(): boolean {
    return this.#client?.status === 'ready' && !this.#opening;
  }

  /** Why nothing can be sent now, as far as is known. */
  get trouble(): Error | undefined {
    return this.#opening && new Error(`the connection to ${placeOf(this.source)} is still being made`);
  }

  /** The server that has the slot, by what is known of a cluster now; empty where there is but one, or none is known. */
  nodeOf(slot: number): string {
    const client = this.#client;
    return client && isCluster(client) ? (client.slots[slot]?.[0] ?? '') : '';
  }

  /**
   * The same on the connection that is open. Most questions go this way, so that nothing is set up for them that they do
   * not need. Who is told of the answer, or why there is none, then says `doneNow`.
   */
  runNow(asking: Asking, errand: boolean): void {
    this.#use(1, errand);
    this.#evaluator.evaluate(this.#client!, asking);
  }

  /** Nobody waits any more for the answer of what `runNow` sent; it has come, or it has not. */
  doneNow(errand: boolean): void {
    this.#use(-1, errand);
  }

  /** Hears our channel from now on; whether it does. */
  async listen(): Promise<boolean> {
    const client = this.#client;
    if (this.listening || this.#mute || client?.status !== 'ready') return this.listening;
    if (performance.now() < Math.max(this.#deafUntil, this.#restUntil)) return false;
    this.#use(1, false);
    try {
      await this.#ears.add(nodesOf(client, 'master'));
      this.listening = this.#client === client && this.#ears.any;
      if (this.listening) this.#heardSince = performance.now();
    } catch (error) {
      if (isReplyError(error) && !isForNow(error)) this.#polled(error.message);
      else if (this.#client === client) this.#pauseListening();
    } finally {
      this.#use(-1, false);
    }
    return this.listening;
  }

  /** Who stands in line was told nothing for a while: sees to it that we hear. */
  checkHearing(): void {
    const client = this.#client;
    if (this.#ears.check() && client && isCluster(client)) this.#hearAll(client);
  }

  /** A waiter could not stand in line; if that is not allowed at all, all of them poll from now on. */
  cannotWait(reason: string): void {
    if (REFUSED.test(reason)) this.#polled(reason);
  }

  /** Breaks the connection: whatever is unanswered is rejected, and the next question opens a new one. */
  drop(): void {
    const client = this.#client;
    this.#opening = undefined;
    if (client) this.#ended(client);
    if (client) disconnect(client);
  }

  #open(): Promise<RedisClient> {
    if (this.#opening) return this.#opening;
    // It may have broken without having told it yet; who hears of that may ask, and open another.
    this.drop();
    if (this.#opening) return this.#opening;
    const opening = this.#connect().finally(() => {
      if (this.#opening === opening) this.#opening = undefined;
    });
    return (this.#opening = opening);
  }

  async #connect(): Promise<RedisClient> {
    const client = duplicate(this.source, this.generation);
    let failure: Error | undefined;
    this.#client = client;
    this.generation += 1;
    this.#deafUntil = 0;
    this.#listenPause = FIRST_LISTEN_PAUSE;
    onTrouble(client, (why) => (failure = why));
    // ioredis leaves its promise open when a cluster ends before it is ready.
    const ended = new Promise<never>((_, reject) => {
      client.once('end', () => {
        this.#ended(client);
        reject(failure ?? new Error('the connection was closed'));
      });
    });
    if (isCluster(client)) this.#follow(client);
    const connecting = client.connect();
    // By then there is a socket, which must not keep the process alive for an errand of the background.
    setImmediate(() => this.#hold());
    try {
      await Promise.race([connecting, ended]);
      await Promise.race([Promise.all([selected(client), inOrder(client)]), ended]);
    } catch (error) {
      disconnect(client);
      throw failure ?? error;
    }
    if (this.listener.wanted()) await this.listen();
    this.#hold();
    return client;
  }

  /** The nodes of a cluster come and go; every master is listened to. */
  #follow(client: Cluster): void {
    client.on('+node', (node: Redis) => {
      node.on('connecting', () => this.#connecting(node));
      heedAsking(node);
    });
    client.on('-node', () => (this.generation += 1));
    client.on('refresh', () => this.#hearAll(client));
  }

  /** Where a node does not take a connection, trying keeps the process alive, whatever its socket is told. */
  #connecting(node: Redis): void {
    // By then there is a socket.
    setImmediate(() => this.#hold());
    setTimeout(() => {
      if (node.status !== 'connecting') return;
      this.#stuck.add(node);
      node.once('close', () => this.#stuck.delete(node)).once('connect', () => this.#stuck.delete(node));
      this.#hold();
    }, CONNECT_LIMIT).unref();
  }

  /** Masters that are new, or could not be reached before. */
  #hearAll(client: Cluster): void {
    const masters = nodesOf(client, 'master');
    if (this.#client !== client || !this.listening || this.#ears.hears(masters)) return;
    this.#ears.add(masters).then(
      // They have told nobody of us until now.
      (added) => added && this.listener.lost(),
      () => undefined,
    );
  }

  #pauseListening(): void {
    // One failure may be told to many who wait.
    if (performance.now() < this.#deafUntil) return;
    this.#deafUntil = performance.now() + this.#listenPause;
    this.#listenPause = Math.min(2 * this.#listenPause, LAST_LISTEN_PAUSE);
  }

  #polled(reason: string): void {
    if (this.#mute) return;
    this.#mute = true;
    this.listening = false;
    process.emitWarning(`lock: waiters ask redis again and again, for it refuses what would tell them: ${reason}`, {
      type: 'LockWarning',
      code: 'LOCK_POLLING',
    });
  }

  #missed(): void {
    // Of a cluster the other masters are heard as before; this one is as soon as somebody waits.
    this.listening = false;
    const now = performance.now();
    this.#earlyLosses = now - this.#heardSince < SHORT_LIVED ? this.#earlyLosses + 1 : 0;
    const times = this.#earlyLosses - EARLY_LOSSES;
    if (times > 0) this.#restUntil = now + Math.min(FIRST_LISTEN_PAUSE * 2 ** (times - 1), LAST_EARLY_PAUSE);
    this.listener.lost();
  }

  #ended(client: RedisClient): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#ears.close();
    if (this.listening) this.#missed();
  }

  #use(change: 1 | -1, errand: boolean): void {
    const wasUsed = this.#uses > 0;
    if (errand) this.#errands += change;
    else this.#uses += change;
    const isUsed = this.#uses > 0;
    if (isUsed !== wasUsed || this.#uses + this.#errands === 0) this.#hold();
  }

  /** A connection keeps the process alive while somebody waits for an answer, and is pursued only while it is wanted. */
  #hold(): void {
    const client = this.#client;
    if (!client) return;
    if (this.#uses + this.#errands === 0 && client.status !== 'ready') this.drop();
    else keepAlive(client, this.#uses > 0);
    if (this.#uses === 0) for (const node of this.#stuck) disconnect(node);
  }
}

/** ioredis asks a node that is given a slot for leave, and lets nobody hear of it when the connection breaks meanwhile. */
function heedAsking(node: Redis): void {
  const asking = node.asking.bind(node);
  node.asking = () => {
    const asked = asking();
    asked.catch(() => undefined);
    return asked;
  };
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
