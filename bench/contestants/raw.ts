import { createHash, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { TTL, type Contestant } from './contestant.js';

const COMPARE_AND_DELETE = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;
const AND_PUBLISH = `
if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('del', KEYS[1])
redis.call('publish', ARGV[2], '')
return 1`;

/** A script that the server is given once, called by its hash. */
async function script(client: Redis, text: string): Promise<string> {
  await client.script('LOAD', text);
  return createHash('sha1').update(text).digest('hex');
}

/** The least that a lock on Redis can do with this client: nothing of it waits. */
export const floor: Contestant = {
  name: 'raw ioredis',
  kind: 'floor',
  settings: 'SET NX PX, compare-and-delete by EVALSHA',
  inner: ['get', 'del'],
  uncontendedOnly: true,
  async open(port) {
    const client = new Redis(port);
    const release = await script(client, COMPARE_AND_DELETE);
    return {
      async use(key, body) {
        const token = randomUUID();
        if ((await client.set(key, token, 'PX', TTL, 'NX')) !== 'OK') throw new Error('the key was not free');
        try {
          const running = body();
          if (running) await running;
        } finally {
          await client.evalsha(release, 1, key, token);
        }
      },
    };
  },
};

/** What a careful user would write: a line in the process, its head woken by the release's message or the key's end. */
export const publishAndRetry: Contestant = {
  name: 'publish and retry',
  kind: 'reference',
  settings: 'written for this benchmark: SET NX PX; release publishes; the head of each process tries again',
  inner: ['get', 'del', 'publish'],
  async open(port) {
    const client = new Redis(port);
    const subscriber = new Redis(port);
    const release = await script(client, AND_PUBLISH);
    const tails = new Map<string, Promise<void>>();
    const wakers = new Map<string, () => void>();
    const subscribed = new Set<string>();
    subscriber.on('message', (channel: string) => wakers.get(channel)?.());
    const take = async (key: string, token: string): Promise<void> => {
      const channel = `free:${key}`;
      for (;;) {
        if (!subscribed.has(channel)) {
          if ((await client.set(key, token, 'PX', TTL, 'NX')) === 'OK') return;
          await subscriber.subscribe(channel);
          subscribed.add(channel);
        }
        // Listens before it asks, so that no message falls in between.
        const woken = new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 1_000);
          wakers.set(channel, () => (clearTimeout(timer), resolve()));
        });
        const taken = (await client.set(key, token, 'PX', TTL, 'NX')) === 'OK';
        if (taken) wakers.get(channel)?.();
        await woken;
        if (taken) return;
      }
    };
    return {
      async use(key, body) {
        const token = randomUUID();
        const before = tails.get(key);
        let done!: () => void;
        const mine = new Promise<void>((resolve) => (done = resolve));
        tails.set(key, mine);
        if (before) await before;
        try {
          await take(key, token);
          try {
            const running = body();
            if (running) await running;
          } finally {
            await client.evalsha(release, 1, key, token, `free:${key}`);
          }
        } finally {
          if (tails.get(key) === mine) tails.delete(key);
          done();
        }
      },
    };
  },
};
