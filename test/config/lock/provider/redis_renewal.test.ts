import { createServer, connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { RedisStore } from '../../../../src/config/lock/provider/redis/index.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../../support/redis_server.js';
import { eventually, undisturbed } from '../../../support/time.js';

describeWithOwnRedis('renewal on redis', () => {
  let server: RedisServer;
  let locks: lock.LockFactory;

  const open = (port = server.port): lock.LockFactory =>
    lock.open({ provider: 'redis', client: new Redis({ host: server.host, port, lazyConnect: true }) });

  beforeEach(async () => {
    server = await startRedis();
    locks = open();
  });
  afterEach(async () => {
    await locks.close(200).catch(() => undefined);
    await server.stop();
  });

  /** Runs of the script so far. */
  const calls = async (): Promise<number> =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await server.cli('info', 'commandstats'))?.[1] ?? 0);

  it('of 1,000 locks that were taken at different moments costs at most 10 commands a round', async () => {
    const take = (n: number): Promise<lock.Lock> => locks.new(`k ${n}`, '6s', { renew: true }).lock();
    const held: lock.Lock[] = [];
    for (let from = 0; from < 1_000; from += 50) {
      held.push(...(await Promise.all(Array.from({ length: 50 }, (_, n) => take(from + n)))));
      await sleep(50);
    }
    const rounds = (n: number): Promise<void> =>
      eventually(() => expect(locks.renewal.rounds).toBeGreaterThanOrEqual(n), 30_000);
    // Within two rounds they have come together.
    await rounds(2);
    await sleep(200);
    const [from, callsBefore] = [locks.renewal.rounds, await calls()];
    await rounds(from + 3);
    await sleep(200);
    const counted = (await calls()) - callsBefore;
    const passed = locks.renewal.rounds - from;
    expect(counted).toBeLessThanOrEqual(10 * passed);
    expect(counted).toBeGreaterThanOrEqual(3 * 8);
    expect(held.every((one) => one.held)).toBe(true);
    expect(locks.renewal.leases).toBe(1_000);
    await Promise.all(held.map((one) => one.unlock()));
  });

  it('only lengthens: one that arrives late does not shorten a later hold of the same value', async () => {
    const client = new Redis({ host: server.host, port: server.port, lazyConnect: true });
    const store = new RedisStore(client);
    const ask = {
      key: 'k',
      value: 'of its own',
      random: false,
      plain: false,
      ttl: 60_000,
      longest: 60_000,
      until: 0,
      memo: undefined,
    };
    await store.obtain(ask, performance.now());
    const before = performance.now();
    expect(await store.refresh(ask, 1_000, 500)).toBeLessThanOrEqual(performance.now() + 1_000);
    const left = async (): Promise<number> => Number(await server.cli('pttl', 'k'));
    expect(await left()).toBeGreaterThan(60_000 - (performance.now() - before) - 1_000);
    await store.refresh(ask, 90_000, 500);
    expect(await left()).toBeGreaterThan(60_000);
    await store.refresh(ask, 1_000);
    expect(await left()).toBeLessThanOrEqual(1_000);
    expect(await store.refresh({ ...ask, value: 'another' }, 1_000, 500)).toBeUndefined();
    await store.close(100);
  });

  it('survives a connection that died without a word: it is opened anew before the ttl is over', async () => {
    // Between client and server: once `dead`, the connections that are there say nothing any more; new ones work.
    const open_: { from: Socket; to: Socket }[] = [];
    const between = createServer((from) => {
      const to = connect(server.port, server.host);
      open_.push({ from, to });
      for (const socket of [from, to]) socket.on('error', () => undefined);
      from.pipe(to).pipe(from);
    });
    await new Promise<void>((resolve) => between.listen(0, '127.0.0.1', resolve));
    const { port } = between.address() as { port: number };
    await using far = open(port);
    const held = await far.new('k', '3s', { renew: true }).lock();
    for (const { from, to } of open_) {
      from.unpipe(to);
      to.unpipe(from);
    }
    await sleep(4_500);
    expect(held.held).toBe(true);
    expect(await server.cli('get', 'k')).toBe(held.token);
    await held.unlock();
    await far.close();
    between.close();
    for (const { from, to } of open_) [from, to].forEach((socket) => socket.destroy());
  });

  it('goes on when a server that stood still answers late, and holds no longer than the server does', async () => {
    await undisturbed(100, async () => {
      const held = await locks.new('k', '3s', { renew: true }).lock();
      await sleep(500);
      server.pause();
      await sleep(1_800);
      server.resume();
      await eventually(() => expect(held.remaining()).toBeGreaterThan(2_500));
      expect(held.remaining()).toBeLessThanOrEqual(Number(await server.cli('pttl', 'k')) + 50);
      await held.unlock();
    });
  });
});
