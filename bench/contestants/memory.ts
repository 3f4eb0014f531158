import { load, TTL, type Contestant } from './contestant.js';
import { verrouLocks, type VerrouLock } from './peers.js';

interface MutexModule {
  Mutex: new () => { runExclusive(body: () => unknown): Promise<unknown> };
}
interface AsyncLockModule {
  default: new (options: object) => { acquire(key: string, body: () => unknown): Promise<unknown> };
}
interface MutexLockModule {
  Lock: new () => { acquire(key: string): Promise<void>; release(key: string): void };
}
interface VerrouModule {
  LockFactory: new (store: unknown, options: object) => { createLock(key: string, ttl: number): VerrouLock };
}

const asyncMutex: Contestant = {
  name: 'async-mutex',
  kind: 'peer',
  settings: 'one Mutex per key in a Map, kept for ever; runExclusive',
  async open() {
    const { Mutex } = await load<MutexModule>('async-mutex');
    const mutexes = new Map<string, InstanceType<typeof Mutex>>();
    return {
      use(key, body) {
        let mutex = mutexes.get(key);
        if (!mutex) mutexes.set(key, (mutex = new Mutex()));
        return mutex.runExclusive(body);
      },
    };
  },
};

const asyncLock: Contestant = {
  name: 'async-lock',
  kind: 'peer',
  settings: 'promise mode, maxPending Infinity',
  async open() {
    const { default: AsyncLock } = await load<AsyncLockModule>('async-lock');
    const locks = new AsyncLock({ maxPending: Infinity });
    return { use: (key, body) => locks.acquire(key, body) };
  },
};

const asyncAwaitMutexLock: Contestant = {
  name: 'async-await-mutex-lock',
  kind: 'peer',
  settings: 'with keys',
  async open() {
    const { Lock } = await load<MutexLockModule>('async-await-mutex-lock');
    const locks = new Lock();
    return {
      async use(key, body) {
        await locks.acquire(key);
        try {
          const running = body();
          if (running) await running;
        } finally {
          locks.release(key);
        }
      },
    };
  },
};

const verrouMemory: Contestant = {
  name: '@verrou/core memory',
  kind: 'peer',
  settings: 'MemoryStore, retry.delay 0 ms',
  async open() {
    const { LockFactory } = await load<VerrouModule>('@verrou/core');
    const { MemoryStore } = await load<{ MemoryStore: new () => unknown }>('@verrou/core/drivers/memory');
    return verrouLocks(new LockFactory(new MemoryStore(), { retry: { delay: 0 } }));
  },
};

const DONE = Promise.resolve();

/** A hold that ends at a time, of nothing. */
class Lease {
  #until = 0;

  begin(): Promise<this> {
    this.#until = performance.now() + TTL;
    return Promise.resolve(this);
  }

  end(): Promise<void> {
    return performance.now() < this.#until ? DONE : Promise.reject(new Error('the lease has run out'));
  }
}

/** What a lock with a ttl does at least that reads the clock at either end, and whose calls give promises. */
export const leaseAlone: Contestant = {
  name: 'a lease alone',
  kind: 'floor',
  settings: 'excludes nobody: two promises, and the clock read at either end',
  uncontendedOnly: true,
  async open() {
    return {
      async use(_, body) {
        const lease = new Lease();
        await lease.begin();
        try {
          const running = body();
          if (running) await running;
        } finally {
          await lease.end();
        }
      },
    };
  },
};

export const memoryPeers: readonly Contestant[] = [asyncMutex, asyncLock, asyncAwaitMutexLock, verrouMemory];
