import { Redis } from 'ioredis';
import { FOREVER, load, TTL, type Contestant, type Locks } from './contestant.js';

// What is used of each package, in its own words.
interface RedlockModule {
  default: new (clients: Redis[], settings: object) => RedlockLike;
}
interface RedlockLike {
  acquire(keys: string[], ttl: number): Promise<{ release(): Promise<unknown> }>;
}
interface SemaphoreModule {
  Mutex: new (client: Redis, key: string, options: object) => { acquire(): Promise<void>; release(): Promise<void> };
}
interface VerrouModule {
  LockFactory: new (store: unknown, options: object) => { createLock(key: string, ttl: number): VerrouLock };
}
export interface VerrouLock {
  acquire(): Promise<boolean>;
  release(): Promise<void>;
}
interface UniversalModule {
  createLock(this: void, options: object): UniversalLock;
  IoredisAdapter: new (client: Redis) => unknown;
  NodeRedisAdapter: new (client: unknown) => unknown;
}
interface UniversalLock {
  acquire(): Promise<object>;
  release(handle: object): Promise<boolean>;
}
interface NodeRedisModule {
  createClient(
    this: void,
    options: object,
  ): { connect(): Promise<unknown>; on(event: string, listener: () => void): unknown };
}
interface SimpleModule {
  lock(this: void, client: unknown, key: string, options: object): Promise<() => Promise<void>>;
}

/** Pause between two tries of those that poll, in milliseconds; chosen by measuring, see README.md. */
const POLL = Number(process.env['BENCH_POLL'] ?? 5);

async function nodeRedis(port: number): Promise<unknown> {
  const { createClient } = await load<NodeRedisModule>('redis');
  const client = createClient({ socket: { host: '127.0.0.1', port } });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

const redlock: Contestant = {
  name: 'redlock',
  kind: 'peer',
  settings: `5.0 beta; retryCount -1, retryDelay ${POLL} ms, retryJitter ${Math.floor(POLL / 2)} ms`,
  inner: ['exists', 'set', 'get', 'del'],
  async open(port) {
    const { default: Redlock } = await load<RedlockModule>('redlock');
    const settings = { retryCount: -1, retryDelay: POLL, retryJitter: Math.floor(POLL / 2) };
    const locks = new Redlock([new Redis(port)], settings);
    return {
      async use(key, body) {
        const held = await locks.acquire([key], TTL);
        try {
          const running = body();
          if (running) await running;
        } finally {
          await held.release();
        }
      },
    };
  },
};

const redisSemaphore: Contestant = {
  name: 'redis-semaphore',
  kind: 'peer',
  settings: `Mutex; retryInterval ${POLL} ms, refreshInterval 0 (no timer of its own)`,
  inner: ['get', 'del'],
  async open(port) {
    const { Mutex } = await load<SemaphoreModule>('redis-semaphore');
    const client = new Redis(port);
    const options = { lockTimeout: TTL, acquireTimeout: FOREVER, retryInterval: POLL, refreshInterval: 0 };
    return {
      async use(key, body) {
        const mutex = new Mutex(client, key, options);
        await mutex.acquire();
        try {
          const running = body();
          if (running) await running;
        } finally {
          await mutex.release();
        }
      },
    };
  },
};

export function verrouLocks(factory: { createLock(key: string, ttl: number): VerrouLock }): Locks {
  return {
    async use(key, body) {
      const held = factory.createLock(key, TTL);
      if (!(await held.acquire())) throw new Error('not acquired');
      try {
        const running = body();
        if (running) await running;
      } finally {
        await held.release();
      }
    },
  };
}

const verrou: Contestant = {
  name: '@verrou/core',
  kind: 'peer',
  settings: `redisStore; retry.delay ${POLL} ms, no limit of attempts`,
  inner: ['get', 'del'],
  async open(port) {
    const { LockFactory } = await load<VerrouModule>('@verrou/core');
    const { RedisStore } = await load<{ RedisStore: new (options: object) => unknown }>('@verrou/core/drivers/redis');
    return verrouLocks(new LockFactory(new RedisStore({ connection: new Redis(port) }), { retry: { delay: POLL } }));
  },
};

function universal(client: 'ioredis' | 'node-redis'): Contestant {
  return {
    name: `redlock-universal, ${client}`,
    kind: 'peer',
    settings: `performance "lean", retryDelay ${POLL} ms, retryAttempts ${FOREVER}`,
    inner: ['get', 'del'],
    async open(port) {
      const { createLock, IoredisAdapter, NodeRedisAdapter } = await load<UniversalModule>('redlock-universal');
      const adapter =
        client === 'ioredis' ? new IoredisAdapter(new Redis(port)) : new NodeRedisAdapter(await nodeRedis(port));
      const options = { adapter, ttl: TTL, performance: 'lean', retryAttempts: FOREVER, retryDelay: POLL };
      return {
        async use(key, body) {
          const locks = createLock({ ...options, key });
          const held = await locks.acquire();
          try {
            const running = body();
            if (running) await running;
          } finally {
            await locks.release(held);
          }
        },
      };
    },
  };
}

const simpleRedisMutex: Contestant = {
  name: 'simple-redis-mutex',
  kind: 'peer',
  settings: 'node-redis, as documented: woken by publish',
  inner: ['get', 'del', 'publish'],
  async open(port) {
    const { lock } = await load<SimpleModule>('simple-redis-mutex');
    const client = await nodeRedis(port);
    // Its first call opens its subscription; several first calls at once would open several.
    await (
      await lock(client, 'bench:first', { timeout: TTL })
    )();
    return {
      async use(key, body) {
        const release = await lock(client, key, { timeout: TTL });
        try {
          const running = body();
          if (running) await running;
        } finally {
          await release();
        }
      },
    };
  },
};

export const redisPeers: readonly Contestant[] = [
  redlock,
  redisSemaphore,
  verrou,
  universal('ioredis'),
  universal('node-redis'),
  simpleRedisMutex,
];
