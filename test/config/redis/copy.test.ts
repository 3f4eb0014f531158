import { afterEach, describe, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { copyOf, openCopy, type ClientCopy } from '../../../src/config/redis/copy.js';
import type { RedisClient } from '../../../src/config/redis/connect.js';
import {
  describeWithOwnRedis,
  startCluster,
  startRedis,
  startSentinel,
  uniquePrefix,
} from '../../support/redis_server.js';

const clients: RedisClient[] = [];
afterEach(() => clients.splice(0).forEach((client) => client.disconnect()));

function kept<T extends RedisClient>(client: T): T {
  clients.push(client);
  return client;
}

/** What arrives in another thread. */
const sent = (client: RedisClient): ClientCopy => structuredClone(copyOf(kept(client)));
const reopened = (client: RedisClient): RedisClient => kept(openCopy(sent(client)));

describe('the copy of a client', () => {
  it('has every option but how often it connects again, which its owner decides', () => {
    const tls = { ca: Buffer.from('an authority'), servername: 'redis.example', rejectUnauthorized: true };
    const options = { host: 'a', port: 1, db: 3, username: 'u', password: 'p', keyPrefix: 'x:', protocol: 2 as const };
    const { options: copied, nodes } = sent(
      new Redis({ ...options, tls, lazyConnect: true, retryStrategy: () => 7, reconnectOnError: () => true }),
    );
    expect(nodes).toBeUndefined();
    expect(copied).toMatchObject({ ...options, tls: { servername: 'redis.example', rejectUnauthorized: true } });
    expect(String(Buffer.from((copied['tls'] as { ca: Uint8Array }).ca))).toBe('an authority');
    expect(copied['retryStrategy'] ?? copied['reconnectOnError']).toBeFalsy();
  });

  it('of a cluster has its first nodes, and the options of its connections', () => {
    const nodes = [{ host: 'a', port: 7_000 }, 'redis://b:7001'];
    const client = new Cluster(nodes, {
      lazyConnect: true,
      keyPrefix: 'x:',
      redisOptions: { password: 'p', tls: { servername: 's' } },
    });
    expect(sent(client)).toMatchObject({
      nodes,
      options: { keyPrefix: 'x:', redisOptions: { password: 'p', tls: { servername: 's' } } },
    });
  });

  it.each([
    ['tls.checkServerIdentity', { tls: { checkServerIdentity: () => undefined } }],
    ['natMap', { natMap: () => null }],
  ])('is none when %s is a function', (name, options) => {
    const client = kept(new Redis({ lazyConnect: true, ...options }));
    expect(() => copyOf(client)).toThrow(`the option ${name} of the redis client is a function`);
  });

  it('says so when an option is an object of a kind that no thread can send', () => {
    const client = kept(new Redis({ lazyConnect: true, tls: { session: new WeakMap() } } as never));
    expect(() => copyOf(client)).toThrow(/an option of the redis client cannot be sent to another thread: /);
  });
});

describeWithOwnRedis('a client that was made of a copy', () => {
  it('reaches the same database by TLS and password', async () => {
    await using server = await startRedis({ tls: true, password: 'a secret' });
    const { host, port, ca } = server;
    const client = reopened(new Redis({ host, port, db: 5, password: 'a secret', lazyConnect: true, tls: { ca } }));
    await client.set('k', 'there');
    expect(await server.cli('-n', '5', 'get', 'k')).toBe('there');
  });

  it('reaches every node of a cluster', async () => {
    await using cluster = await startCluster();
    const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));
    const client = reopened(new Cluster(nodes, { lazyConnect: true }));
    const keys = Array.from({ length: 20 }, () => uniquePrefix());
    for (const key of keys) await client.set(key, key);
    for (const key of keys) expect(await client.get(key)).toBe(key);
  }, 60_000);

  it('reaches the master that sentinels know', async () => {
    await using group = await startSentinel();
    const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }));
    const client = reopened(new Redis({ sentinels, name: group.name, lazyConnect: true }));
    expect(await client.set('k', 'there')).toBe('OK');
  }, 60_000);
});
