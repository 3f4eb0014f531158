import type { Redis } from 'ioredis';
import { disconnect, isCluster, isReplyError, OWN, type RedisClient } from './client.js';

/** Where Redis tells a RESP2 connection which keys that another connection read have changed. */
const INVALIDATIONS = '__redis__:invalidate';

/** The two connections of the watch. */
interface Pair {
  /** Hears of changes. */
  readonly ear: Redis;
  /** Reads, so that Redis remembers what to tell of. */
  readonly eye: Redis;
}

/**
 * Tells when a holder that is none of ours, such as a Go service, lets go of a key: it publishes nothing, so that Redis is
 * asked to tell of the change (CLIENT TRACKING). Two connections of their own, opened with the first such holder: ioredis
 * drops the notices that RESP3 brings on the same connection, so that they are redirected to one that speaks RESP2. Where
 * tracking is refused, and on a cluster, nobody is told, and waiters look after the key themselves.
 */
export class ForeignWatch {
  /** Whom to tell, by key. */
  readonly #watched = new Map<string, () => void>();
  #pair: Promise<Pair> | undefined;
  /** The pair once it works; what an earlier one still says is of no interest. */
  #current: Pair | undefined;
  #refused = false;
  #closed = false;

  constructor(private readonly source: RedisClient) {}

  /**
   * Tells once when the key is free.
   * @returns whether the key is watched; it may be free before it is, then it is told at once
   */
  async watch(key: string, free: () => void): Promise<boolean> {
    if (this.#refused || this.#closed || isCluster(this.source)) return false;
    this.#watched.set(key, free);
    try {
      const { eye } = await this.#open(this.source);
      await this.#look(eye, key);
      return true;
    } catch (error) {
      // Out of reach now, or not allowed for good.
      this.#refused ||= isReplyError(error);
      this.#watched.delete(key);
      this.#broke();
      return false;
    }
  }

  /** Nobody waits for the key any more. */
  unwatch(key: string): void {
    this.#watched.delete(key);
  }

  /** @param forGood nothing can be watched afterwards */
  close(forGood = true): void {
    this.#closed ||= forGood;
    this.#watched.clear();
    const pair = this.#pair;
    this.#pair = undefined;
    this.#current = undefined;
    pair?.then(
      ({ ear, eye }) => [ear, eye].forEach(disconnect),
      () => undefined,
    );
  }

  #open(source: Redis): Promise<Pair> {
    this.#pair ??= this.#connect(source);
    return this.#pair;
  }

  async #connect(source: Redis): Promise<Pair> {
    const [ear, eye] = [1, 2].map(() => source.duplicate({ ...OWN, protocol: 2 })) as [Redis, Redis];
    const pair = { ear, eye };
    for (const client of [ear, eye]) {
      client.on('error', () => undefined);
      client.once('end', () => this.#current === pair && this.#broke());
    }
    try {
      await Promise.all([ear.connect(), eye.connect()]);
      // Who waits has a timer of its own that keeps the process alive.
      for (const client of [ear, eye]) client.stream.unref();
      await eye.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', String(await ear.client('ID')));
      ear.on('messageBuffer', (_channel: Buffer, keys: unknown) => this.#changed(eye, keys));
      await ear.subscribe(INVALIDATIONS);
      this.#current = pair;
    } catch (error) {
      [ear, eye].forEach(disconnect);
      throw error;
    }
    return pair;
  }

  /** Notices are sent once for each look, for a refresh of the holder as well: so it is looked again. */
  #changed(eye: Redis, keys: unknown): void {
    // No keys at all: the whole database was flushed.
    const changed = Array.isArray(keys) ? keys.map(String) : [...this.#watched.keys()];
    for (const key of changed) if (this.#watched.has(key)) this.#look(eye, key).catch(() => this.#broke());
  }

  async #look(eye: Redis, key: string): Promise<void> {
    if ((await eye.pttl(key)) !== -2) return;
    const free = this.#watched.get(key);
    this.#watched.delete(key);
    free?.();
  }

  /** Without the connection nothing is heard: everybody looks for himself. */
  #broke(): void {
    const waiting = [...this.#watched.values()];
    this.close(false);
    for (const free of waiting) free();
  }
}
