import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { lock } from 'mcube-lock';
import { lineOf, slot } from '../../../../src/config/lock/provider/redis/slots.js';
import { handOver, Visits } from '../../../support/hand_over.js';
import { describeWithOwnRedis, startCluster, uniquePrefix, type RedisCluster } from '../../../support/redis_server.js';
import { eventually } from '../../../support/time.js';

describeWithOwnRedis('locks on a cluster whose masters have replicas', () => {
  let cluster: RedisCluster;
  let ours: lock.LockFactory;
  let theirs: lock.LockFactory;
  let prefix: string;

  beforeEach(async () => {
    cluster = await startCluster(3, { replicas: true });
    prefix = uniquePrefix();
    [ours, theirs] = [1, 2].map(() => {
      const client = new Cluster(
        cluster.nodes.map(({ host, port }) => ({ host, port })),
        { lazyConnect: true },
      );
      return lock.open({ provider: 'redis', client, prefix, commandTimeout: '15s' });
    }) as [lock.LockFactory, lock.LockFactory];
  }, 40_000);
  afterEach(async () => {
    await Promise.all([ours, theirs].map((factory) => factory.close(500).catch(() => undefined)));
    await cluster.stop();
  });

  /** Keys on one master each. */
  const keyOn = (master: number): string => {
    for (let n = 0; ; n += 1) if (Math.floor((slot(`${prefix}k${n}`) * 3) / 16_384) === master) return `k${n}`;
  };

  it('a master is killed with waiters queued: its replica serves all, one at a time, fences grow, nothing stays', async () => {
    const [lost, kept] = [keyOn(0), keyOn(1)];
    const ttl = '2s';
    const turns = new Visits(lost, ttl, '30s');
    const held = await ours.new(lost, ttl).lock();
    turns.fences.push(held.fence!);
    const visits = [ours, theirs, ours, theirs, theirs].map((factory) => turns.visit(factory));
    const line = lineOf(prefix + lost, true);
    await eventually(async () => expect(await cluster.nodes[0]!.cli('llen', line)).toBe('1'));
    // What the replica has not got is lost with the master.
    await sleep(200);
    await cluster.nodes[0]!.kill();
    const started = performance.now();
    await Promise.all(visits);
    expect(performance.now() - started).toBeLessThan(20_000);
    turns.expectInOrder(6);
    expect(await cluster.replicas[0]!.cli('role')).toContain('master');
    await (await theirs.new(kept, ttl).lock({ wait: '10s' })).unlock();
    expect(await handOver(ours, theirs, lost)).toBeLessThan(2_000);
    const left = await cluster.replicas[0]!.cli('keys', `${prefix}*`);
    expect(left).toBe('');
  }, 60_000);
});
