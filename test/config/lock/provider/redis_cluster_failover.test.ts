import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Cluster } from 'ioredis';
import { lock } from 'mcube-lock';
import { lineOf, slot } from '../../../../src/config/lock/provider/redis/slots.js';
import { handOver, Visits } from '../../../support/hand_over.js';
import { describeWithOwnRedis, startCluster, uniquePrefix } from '../../../support/redis_server.js';
import type { RedisCluster, RedisServer } from '../../../support/redis_server.js';
import { eventually, undisturbed } from '../../../support/time.js';

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
      return lock.open({ provider: 'redis', client, prefix, commandTimeout: '40s' });
    }) as [lock.LockFactory, lock.LockFactory];
  }, 120_000);
  afterEach(async () => {
    await Promise.all([ours, theirs].map((factory) => factory.close(500).catch(() => undefined)));
    await cluster.stop();
  });

  /** Keys on one master each. */
  const keyOn = (master: number): string => {
    for (let n = 0; ; n += 1) if (Math.floor((slot(`${prefix}k${n}`) * 3) / 16_384) === master) return `k${n}`;
  };

  /** How many bytes of the master's history a server has. */
  const got = async (server: RedisServer): Promise<string | undefined> =>
    /(?:slave|master)_repl_offset:(\d+)/.exec(await server.cli('info', 'replication'))?.[1];

  it('a master is killed with waiters queued: its replica serves all, one at a time, fences grow, nothing stays', async () => {
    const [lost, kept] = [keyOn(0), keyOn(1)];
    const ttl = '2s';
    const turns = new Visits(lost, ttl, '60s');
    const held = await ours.new(lost, ttl).lock();
    turns.fences.push(held.fence!);
    const visits = [ours, theirs, ours, theirs, theirs].map((factory) => turns.visit(factory));
    const line = lineOf(prefix + lost, true);
    await eventually(async () => expect(await cluster.nodes[0]!.cli('llen', line)).toBe('1'));
    // What the replica has not got is lost with the master.
    await eventually(async () => expect(await got(cluster.replicas[0]!)).toBe(await got(cluster.nodes[0]!)));
    await cluster.nodes[0]!.kill();
    await Promise.all(visits);
    turns.expectInOrder(6);
    expect(await cluster.replicas[0]!.cli('role')).toContain('master');
    await (await theirs.new(kept, ttl).lock({ wait: '20s' })).unlock();
    await undisturbed(100, () => expect(handOver(ours, theirs, lost)).resolves.toBeLessThan(2_000));
    const left = await cluster.replicas[0]!.cli('keys', `${prefix}*`);
    expect(left).toBe('');
  }, 120_000);
});
