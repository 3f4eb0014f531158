import type { Redis } from 'ioredis';
import type { Milliseconds } from '../../../../duration.js';
import { inTime } from './at_most.js';
import { answers, disconnect, duplicateOne, isCluster, selected, type RedisClient } from './client.js';
import { isForNow, isReplyError } from './reply_error.js';

/** Where Redis tells a RESP2 connection which keys that another connection read have changed. */
const INVALIDATIONS = '__redis__:invalidate';

/** After a pair that could not be opened the next one is tried so much later: waiters ask for themselves meanwhile. */
const PAUSE: Milliseconds = 1_000;

/**
 * Tells when a holder that is none of ours, such as a Go service, lets go of a key: it publishes nothing, so that Redis is
 * asked to tell of the change (CLIENT TRACKING). Two connections of their own, opened with the first such holder: ioredis
 * drops the notices that RESP3 brings on the same connection, so that they are redirected to one that speaks RESP2. Where
 * tracking is refused, and on a cluster, nobody is told, and waiters look after the key themselves.
 */
export class ForeignWatch {
  /** Whom to tell, by key. */
  readonly #watched = new Map<string, () => void>();
  /** The one that counts; what becomes of an earlier one concerns nobody. */
  #pair: Pair | undefined;
  #notBefore: Milliseconds = 0;
  #refused = false;
  #closed = false;

  /** @param limit milliseconds within which the connections are there, and each look is answered */
  constructor(
    private readonly source: RedisClient,
    private readonly limit: Milliseconds,
  ) {}

  /**
   * Tells once when the key is free, or may be: when the connections are lost.
   * @returns whether the key is watched; it may be free before it is, then it is told at once
   */
  async watch(key: string, free: () => void): Promise<boolean> {
    const pair = this.#current();
    if (!pair) return false;
    this.#watched.set(key, free);
    try {
      await this.#look(pair, key);
    } catch (error) {
      this.#refused ||= isReplyError(error) && !isForNow(error);
      this.unwatch(key, free);
      this.#broke(pair);
    }
    return this.#pair === pair;
  }

  /** Nobody waits for the key any more; but who watches it since then by another `free` does. */
  unwatch(key: string, free: () => void): void {
    if (this.#watched.get(key) === free) this.#watched.delete(key);
  }

  /** Nothing can be watched afterwards, and no connection is left. */
  close(): void {
    this.#closed = true;
    this.#watched.clear();
    this.#pair?.close();
    this.#pair = undefined;
  }

  #current(): Pair | undefined {
    if (this.#refused || this.#closed || isCluster(this.source)) return undefined;
    if (!this.#pair && performance.now() >= this.#notBefore) {
      const pair: Pair = new Pair(this.source, this.limit, {
        changed: (keys) => this.#changed(pair, keys),
        ended: () => this.#broke(pair),
      });
      this.#pair = pair;
    }
    return this.#pair;
  }

  /** Notices are sent once for each look, for a refresh of the holder as well: so it is looked again. */
  #changed(pair: Pair, keys: readonly string[] | undefined): void {
    if (this.#pair !== pair) return;
    for (const key of keys ?? [...this.#watched.keys()])
      if (this.#watched.has(key)) this.#look(pair, key).catch(() => this.#broke(pair));
  }

  async #look(pair: Pair, key: string): Promise<void> {
    if ((await pair.has(key)) || this.#pair !== pair) return;
    const free = this.#watched.get(key);
    this.#watched.delete(key);
    free?.();
  }

  /** Without the connections nothing is heard: everybody looks for himself. */
  #broke(pair: Pair): void {
    if (this.#pair !== pair) return;
    this.#pair = undefined;
    if (!pair.works) this.#notBefore = performance.now() + PAUSE;
    pair.close();
    const waiting = [...this.#watched.values()];
    this.#watched.clear();
    for (const free of waiting) free();
  }
}

/** What a pair tells its owner. */
interface PairHost {
  /** Some of the keys that were looked at are not as they were; undefined: any of them. */
  changed(keys: readonly string[] | undefined): void;
  /** One of the connections is gone. */
  ended(): void;
}

/** Two connections that belong together. They keep no process alive. */
class Pair {
  /** Whether it hears. */
  works = false;
  /** Hears of changes. */
  readonly #ear: Redis;
  /** Reads, so that Redis remembers what to tell of. */
  readonly #eye: Redis;
  readonly #connected: Promise<void>;

  constructor(
    source: Redis,
    private readonly limit: Milliseconds,
    private readonly host: PairHost,
  ) {
    [this.#ear, this.#eye] = [1, 2].map(() => duplicateOne(source, 0, { protocol: 2 })) as [Redis, Redis];
    this.#connected = this.#connect();
  }

  /** Whether the key is there; of its next change it is told. */
  has(key: string): Promise<boolean> {
    const look = async (): Promise<boolean> => {
      await this.#connected;
      // An ear that hears nothing any more, though nobody has told it, would never tell.
      const [left] = await Promise.all([this.#eye.pttl(key), answers(this.#ear)]);
      return left !== -2;
    };
    return inTime(this.limit, look());
  }

  /** Ends both, also while they are being made. */
  close(): void {
    [this.#ear, this.#eye].forEach(disconnect);
  }

  async #connect(): Promise<void> {
    const [ear, eye] = [this.#ear, this.#eye];
    const rest = (): void => [ear, eye].forEach(({ stream }) => stream?.unref());
    for (const client of [ear, eye]) {
      client.on('error', () => undefined);
      client.once('end', () => this.host.ended());
    }
    const connecting = Promise.all([ear.connect(), eye.connect()]);
    // By then there are sockets. Who waits has a timer of its own that keeps the process alive.
    setImmediate(rest);
    await connecting;
    await Promise.all([selected(ear), selected(eye)]);
    rest();
    await eye.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(await ear.client('ID')));
    ear.on('messageBuffer', (_channel: Buffer, keys: unknown) => {
      // No keys at all: the whole database was flushed.
      this.host.changed(Array.isArray(keys) ? keys.map(String) : undefined);
    });
    await ear.subscribe(INVALIDATIONS);
    this.works = true;
  }
}
