// A lock component of one's own in the place of the built-in one: locks on a Redis that does nothing else.
import { Redis } from 'ioredis';
import { ioc, lock } from 'mcube-lock';

class OwnLocks extends lock.LockConfig {
  @ioc.text({ about: 'URL of the Redis that keeps the locks; empty means what provider says.', secret: true })
  server = '';

  #own: lock.LockFactory | undefined;

  /** Higher than that of the built-in component of this name, whose place it takes. */
  override version(): string {
    return 'v2';
  }

  override async init(): Promise<void> {
    if (this.server === '') return super.init();
    // Only its settings are used: the locks make a connection of their own by them.
    const client = new Redis(this.server, { lazyConnect: true });
    const { prefix, wait } = this;
    this.#own = lock.open({ provider: 'redis', client, prefix, ...(wait !== undefined && { wait }) });
  }

  override factory(): lock.LockFactory {
    return this.#own ?? super.factory();
  }

  override async close(): Promise<void> {
    const own = this.#own;
    this.#own = undefined;
    await own?.close();
    await super.close();
  }
}

ioc.config().registry(OwnLocks);
await ioc.developmentSetup();

await lock.L().run('order:42', '10s', () => console.log(`order:42 is ours, on ${lock.L().provider}`));

await ioc.stop();
