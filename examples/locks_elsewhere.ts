// A lock component of one's own in the place of the built-in one: locks on a Redis that does nothing else.
import { Redis } from 'ioredis';
import { ioc, lock } from 'mcube-lock';

class LocksElsewhere extends lock.LockConfig {
  @ioc.text({ about: 'URL of the Redis that keeps the locks; empty means what provider says.', secret: true })
  server = '';

  /** Higher than that of the built-in component of this name, whose place it takes. */
  override version(): string {
    return 'v2';
  }

  override onPostConfig(): void {
    super.onPostConfig();
    if (this.server !== '') this.provider = 'redis';
  }

  /** Only its settings are used: the locks make a connection of their own by them. */
  protected override client(): lock.RedisClient {
    return this.server === '' ? super.client() : new Redis(this.server, { lazyConnect: true });
  }
}

ioc.config().registry(LocksElsewhere);
await ioc.developmentSetup();

await lock.L().run('order:42', '10s', () => console.log(`order:42 is ours, on ${lock.L().provider}`));

await ioc.stop();
