import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { describeWithOwnRedis, startRedis, startSentinel, uniquePrefix } from '../../../support/redis_server.js';
import type { RedisSentinels, RedisServer } from '../../../support/redis_server.js';

describeWithOwnRedis('locks behind Sentinel', () => {
  let group: RedisSentinels;
  let ours: lock.LockFactory;
  let theirs: lock.LockFactory;

  beforeEach(async () => {
    group = await startSentinel();
    const sentinels = group.sentinels.map(({ host, port }) => ({ host, port }));
    const prefix = uniquePrefix();
    [ours, theirs] = [1, 2].map(() => {
      const client = new Redis({ sentinels, name: group.name, lazyConnect: true, failoverDetector: true });
      return lock.open({ provider: 'redis', client, prefix, commandTimeout: '10s' });
    }) as [lock.LockFactory, lock.LockFactory];
  });
  afterEach(async () => {
    await Promise.all([ours, theirs].map((factory) => factory.close(500).catch(() => undefined)));
    await group.stop();
  });

  it('a fail-over with waiters queued: all are served, one at a time, and fences keep growing', async () => {
    const held = await ours.new('k', '1500ms').lock();
    const fences = [held.fence!];
    let inside = 0;
    const visit = async (factory: lock.LockFactory): Promise<void> => {
      const mine = await factory.new('k', '1500ms').lock({ wait: '15s' });
      expect((inside += 1)).toBe(1);
      fences.push(mine.fence!);
      await sleep(5);
      inside -= 1;
      await mine.unlock();
    };
    const visits = [ours, theirs, ours, theirs, theirs].map(visit);
    await sleep(200);
    await group.master.kill();
    const started = performance.now();
    await Promise.all(visits);
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(fences).toHaveLength(6);
    fences.slice(1).forEach((fence, at) => expect(fence).toBeGreaterThan(fences[at]!));
    expect(await group.replica.cli('role')).toContain('master');
  });

  it('a master that is demoted while it is connected is left for the new one', async () => {
    const held = await ours.new('k', '60s').lock();
    const waiting = theirs.new('k', '60s').lock({ wait: '15s' });
    await sleep(200);
    await group.sentinels[0]!.cli('sentinel', 'failover', group.name);
    const started = performance.now();
    await held.refresh();
    await held.unlock();
    const next = await waiting;
    expect(performance.now() - started).toBeLessThan(10_000);
    await next.unlock();
    await (await ours.new('other', '1s').lock()).unlock();
  });
});

describeWithOwnRedis('a server that takes no writes', () => {
  let server: RedisServer;
  let locks: lock.LockFactory;

  beforeEach(async () => {
    server = await startRedis();
    const client = new Redis({ host: server.host, port: server.port, lazyConnect: true });
    locks = lock.open({ provider: 'redis', client, commandTimeout: '600ms' });
  });
  afterEach(async () => {
    await locks.close(200).catch(() => undefined);
    await server.stop();
  });

  it('is asked again on a new connection, and is not noticed when that one leads to a master in time', async () => {
    const held = await locks.new('k', '60s').lock();
    await server.cli('replicaof', '127.0.0.1', '1');
    const [refresh, other] = [held.refresh(), locks.new('other', '60s').tryLock()];
    await sleep(200);
    await server.cli('replicaof', 'no', 'one');
    await refresh;
    await (await other).unlock();
    await held.unlock();
  });

  it('is told as unreachable with what it said, when it stays so', async () => {
    await server.cli('replicaof', '127.0.0.1', '1');
    await expect(locks.new('k', '60s').tryLock()).rejects.toThrow(/no answer within .*READONLY/);
    await expect(locks.new('k', '60s').tryLock()).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
  });
});
