import { LRUCache } from 'lru-cache';
import { milliseconds, type Duration } from '../../duration.js';
import { InvalidArgumentError } from '../../errors.js';

/** A value in its box: undefined and null are values like any other. */
interface Box {
  readonly value: unknown;
}

/**
 * A cache of this process: keeps so many entries, and lets the least recently used one go first. A value may have a
 * lifetime; what expired is gone for every reader. Nothing runs in the background. For applications; locks keep their
 * state elsewhere.
 */
export class Cache {
  readonly #entries: LRUCache<string, Box>;

  /** @param size entries kept at most, 1 or more */
  constructor(size: number) {
    // A resolution of 0 asks the monotonic clock each time, instead of remembering its answer with a timer.
    this.#entries = new LRUCache({ max: size, ttlResolution: 0 });
  }

  /** The value of a key, which counts as used by that; undefined when there is none, or it expired. */
  get<T = unknown>(key: string): T | undefined {
    return this.#entries.get(check(key))?.value as T | undefined;
  }

  /**
   * Puts a value under a key, in place of the one before and of its lifetime.
   * @param ttl 1 ms or more; without it, the value stays until it is the least recently used one
   * @throws {InvalidArgumentError} the key is not text, the ttl is not such a duration
   */
  set(key: string, value: unknown, ttl?: Duration): this {
    const life = ttl === undefined ? {} : { ttl: milliseconds('ttl', ttl, 1) };
    this.#entries.set(check(key), { value }, life);
    return this;
  }

  /** Whether the key has a value; asking does not count as use. */
  has(key: string): boolean {
    return this.#entries.has(check(key));
  }

  /** Removes a key. @returns whether there was a value */
  delete(key: string): boolean {
    const had = this.has(key);
    this.#entries.delete(key);
    return had;
  }

  /** Removes everything. */
  clear(): void {
    this.#entries.clear();
  }

  /** How many entries there are. What expired is cleared away first: takes time in proportion to the entries. */
  get size(): number {
    this.#entries.purgeStale();
    return this.#entries.size;
  }
}

function check(key: unknown): string {
  if (typeof key === 'string') return key;
  throw new InvalidArgumentError('key', key, 'text');
}
