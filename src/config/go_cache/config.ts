import { NotReadyError } from '../../errors.js';
import { integer, IocObject } from '../../ioc/index.js';
import { Cache } from './cache.js';

/** Memory for ten million keys and values is the machine's to give, so that a slip of the finger is told apart. */
const LARGEST = 10_000_000;

/** The component `go_cache`: a cache of this process for applications. Locks do not live in it. */
export class GoCacheConfig extends IocObject {
  @integer({ about: 'Entries kept before the least recently used one leaves.', min: 1, max: LARGEST })
  size = 500;

  #cache: Cache | undefined;

  override name(): string {
    return 'go_cache';
  }

  override init(): void {
    this.#cache = new Cache(this.size);
  }

  override close(): void {
    this.#cache?.clear();
    this.#cache = undefined;
  }

  /**
   * The cache; the same one until the container stops.
   * @throws {NotReadyError} the container is not set up, or was stopped
   */
  cache(): Cache {
    if (this.#cache) return this.#cache;
    throw new NotReadyError(
      'go_cache: there is no cache before setup and after stop; call await ioc.developmentSetup()',
    );
  }
}
