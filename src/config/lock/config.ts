import { NotReadyError } from '../../errors.js';
import type { Milliseconds } from '../../duration.js';
import { choice, component, duration, flag, inject, integer, IocObject, refuse, text } from '../../ioc/index.js';
import { RedisConfig } from '../redis/index.js';
import { LockFactory } from './factory.js';
import { checkClient } from './open.js';
import {
  LARGEST_BATCH,
  PROVIDER_NAMES,
  PROVIDERS,
  REDIS_DEFAULTS,
  storeCopy,
  type ProviderName,
  type RedisClient,
  type Resources,
} from './provider/index.js';

/**
 * The component `lock`: gives locks of the provider that configuration names.
 * @see Go: ioc/config/lock, config
 */
export class LockConfig extends IocObject {
  @choice(PROVIDER_NAMES, {
    about:
      'Where locks live: go_cache is the memory of this process, redis serves every process that shares that Redis.',
  })
  provider: ProviderName = 'go_cache';

  @text({ about: 'Put before every key on the provider; processes that exclude each other must have the same.' })
  prefix = REDIS_DEFAULTS.prefix;

  @duration({
    none: true,
    about: 'The longest wait of a lock that has none of its own; "none" is until its signal aborts.',
  })
  wait: Milliseconds | undefined = undefined;

  @flag({
    about: 'Whether waiting for a key inside a routine that holds it is an error at once; makes promises a bit dearer.',
  })
  detectDeadlock = false;

  @duration({
    least: 1,
    about: 'The first pause of a waiter on redis that may not subscribe and so polls; each is twice the last.',
  })
  pollMin = REDIS_DEFAULTS.pollMin;

  @duration({ least: 1, about: 'The longest pause of a waiter on redis that polls.' })
  pollMax = REDIS_DEFAULTS.pollMax;

  @integer({
    min: 1,
    max: LARGEST_BATCH,
    about: 'Operations that may leave for redis as one command; its other users wait for them.',
  })
  batchCap = REDIS_DEFAULTS.batchCap;

  @flag({
    about: 'Lets a contended key on redis be free for 10 ms, ten times a second at most, for Go services, which poll.',
  })
  yield = REDIS_DEFAULTS.yield;

  @flag({
    about: 'Renews leases on redis from a thread of its own, so that a busy event loop does not lose them.',
  })
  renewalThread = false;

  @inject(RedisConfig)
  protected readonly redis!: RedisConfig;

  #factory: LockFactory | undefined;

  override name(): string {
    return 'lock';
  }

  /** After `redis`, which it may need, and before it when stopping. */
  override priority(): number {
    return 690;
  }

  /** The Redis of the provider `redis`: a client whose settings are used, and which is not connected. */
  protected client(): RedisClient {
    return this.redis.client();
  }

  override onPostConfig(): void {
    if (!this.prefix.isWellFormed()) throw refuse(this, 'prefix', 'well-formed text');
    if (this.pollMax >= this.pollMin) return;
    // The one that was written is the one to be looked at.
    if (this.pollMax === REDIS_DEFAULTS.pollMax) throw refuse(this, 'pollMin', `at most poll_max, ${this.pollMax} ms`);
    throw refuse(this, 'pollMax', `at least poll_min, ${this.pollMin} ms`);
  }

  override init(): void | Promise<void> {
    const { prefix, pollMin, pollMax, batchCap, wait, detectDeadlock, redis } = this;
    const resources: Resources = {
      client: () => checkClient(this.client()),
      prefix,
      pollMin,
      pollMax,
      batchCap,
      yield: this.yield,
      limit: redis.commandTimeout,
    };
    const copy = this.renewalThread ? storeCopy(this.provider, resources) : undefined;
    this.#factory = new LockFactory(PROVIDERS[this.provider](resources), { wait, detectDeadlock }, copy);
    return this.#factory.ready;
  }

  /** Releases what is held, rejects who waits. */
  override async close(): Promise<void> {
    const factory = this.#factory;
    this.#factory = undefined;
    await factory?.close();
  }

  /** The factory of locks; the same one until the container stops. */
  factory(): LockFactory {
    if (this.#factory) return this.#factory;
    throw new NotReadyError(
      'lock: there are no locks before setup and after stop; call `await ioc.developmentSetup()`, or `setup()` of your own container',
    );
  }
}

component('config', LockConfig);
