import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { TTL, type Contestant, type Locks } from './contestant.js';

type Factory = ReturnType<typeof lock.open>;

function locks(factory: Factory): Locks {
  return {
    async use(key, body) {
      const locker = factory.new(key, TTL);
      await locker.lock();
      try {
        const running = body();
        if (running) await running;
      } finally {
        await locker.unlock();
      }
    },
  };
}

/** What the library's script runs inside; the library itself sends nothing but the script and subscriptions. */
export const SCRIPTED: readonly string[] =
  'set get getset mget msetnx del exists pexpire pexpireat pttl time lpop rpush lrem lpos publish pubsub'.split(' ');

export const oursOnRedis: Contestant = {
  name: 'mcube-lock',
  kind: 'ours',
  settings: 'as it comes',
  inner: SCRIPTED,
  open: async (port) => locks(lock.open({ provider: 'redis', client: new Redis(port) })),
};

export const oursInMemory: readonly Contestant[] = [
  {
    name: 'mcube-lock, run',
    kind: 'ours',
    settings: 'run, which takes a routine, as acquire of async-lock and runExclusive of async-mutex do',
    async open() {
      const factory = lock.open({ provider: 'go_cache' });
      return { use: (key, body) => factory.run(key, TTL, body) };
    },
  },
  {
    name: 'mcube-lock, lock + unlock',
    kind: 'ours',
    settings: 'lock and unlock, as acquire and release of async-await-mutex-lock are',
    open: async () => locks(lock.open({ provider: 'go_cache' })),
  },
];
