import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../../support/redis_server.js';
import { TcpProxy } from '../../../support/tcp_proxy.js';
import { eventually } from '../../../support/time.js';

describeWithOwnRedis('what is still on its way when a hold has gone on', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let client: Redis;
  let locks: lock.LockFactory;

  beforeEach(async () => {
    server = await startRedis();
    proxy = new TcpProxy(server.port);
    await proxy.listen();
    client = new Redis({ host: server.host, port: proxy.port, lazyConnect: true });
    locks = lock.open({ provider: 'redis', client });
  });
  afterEach(async () => {
    await locks.close(500).catch(() => undefined);
    await proxy.close();
    await server.stop();
  });

  /** Takes a key while the connection breaks: what was sent on it first is delivered when the test says so. */
  const takenBesides = async (key: string, ttl: string): Promise<{ held: lock.Lock; deliver: () => void }> => {
    await (await locks.new('warm', '10s').lock()).unlock();
    proxy.hold();
    const taking = locks.new(key, ttl).lock();
    await sleep(50);
    const deliver = proxy.strand();
    return { held: await taking, deliver };
  };

  it('a release that was not answered is done although the next one under its token gave up before it was sent', async () => {
    const hasty = lock.open({ provider: 'redis', client, commandTimeout: '300ms' });
    try {
      const [first, next] = [1, 2].map(() => hasty.new('k', '60s', { token: 'host-1' })) as [lock.Lock, lock.Lock];
      await first.lock();
      proxy.lead(1);
      proxy.cut();
      await expect(first.unlock()).rejects.toThrow(lock.ProviderUnreachableError);
      await expect(next.lock({ wait: '60ms' })).rejects.toThrow(lock.ProviderUnreachableError);
      proxy.lead(server.port);
      await eventually(async () => expect(await server.cli('exists', 'k')).toBe('0'));
    } finally {
      await hasty.close(500).catch(() => undefined);
    }
  });

  it("a release under a token of one's own that was held back, and is over, keeps no call of many open", async () => {
    const [first, next] = [1, 2].map(() => locks.new('k', '60s', { token: 'host-1' })) as [lock.Lock, lock.Lock];
    // What the server says in the meantime arrives together.
    proxy.delay({ replies: 20 });
    await first.lock();
    await server.cli('script', 'flush');
    const many = Promise.all(Array.from({ length: 40 }, (_, n) => locks.new(`many ${n}`, '60s').tryLock()));
    const released = first.unlock();
    await sleep(1);
    await next.tryLock();
    await Promise.all([released, ...(await many).map((one) => one.unlock()), next.unlock()]);
    proxy.delay({});
    const closing = performance.now();
    await locks.close('4s');
    expect(performance.now() - closing).toBeLessThan(1_000);
  });

  it('a question shortens no hold that was lengthened since', async () => {
    const { held, deliver } = await takenBesides('k', '5s');
    await held.refresh('60s');
    deliver();
    await sleep(100);
    expect(Number(await server.cli('pttl', 'k'))).toBeGreaterThanOrEqual(held.remaining());
    expect(held.remaining()).toBeGreaterThan(50_000);
  });

  it('a question that waits does not, either', async () => {
    const holder = await locks.new('k', '60s').lock();
    const others = lock.open({ provider: 'redis', client });
    try {
      const waiting = others.new('k', '5s').lock();
      await sleep(100);
      // Each waiter asks again within a second.
      proxy.hold();
      await sleep(1_200);
      const deliver = proxy.strand();
      await holder.unlock();
      const held = await waiting;
      await held.refresh('60s');
      deliver();
      await sleep(100);
      expect(Number(await server.cli('pttl', 'k'))).toBeGreaterThanOrEqual(held.remaining());
    } finally {
      await others.close();
    }
  });

  it('a question that arrives behind the release keeps the key from nobody', async () => {
    const { held, deliver } = await takenBesides('k', '60s');
    await held.unlock();
    await sleep(400);
    const before = await server.cli('get', 'mlk:fence');
    deliver();
    // It took the key, and was undone.
    await eventually(async () => expect(await server.cli('get', 'mlk:fence')).not.toBe(before));
    await eventually(async () => expect(await server.cli('exists', 'k')).toBe('0'));
  });

  it('a single try that was refused when it was sent again keeps the key from nobody, either', async () => {
    await (await locks.new('warm', '10s').lock()).unlock();
    await server.cli('set', 'k', 'GoGoGoGoGoGoGoGoGoGoGA', 'PX', '60000');
    proxy.hold();
    const trying = locks.new('k', '60s').tryLock();
    await sleep(50);
    const deliver = proxy.strand();
    await expect(trying).rejects.toBeInstanceOf(lock.NotObtainedError);
    await server.cli('del', 'k');
    const before = await server.cli('get', 'mlk:fence');
    deliver();
    await eventually(async () => expect(await server.cli('get', 'mlk:fence')).not.toBe(before));
    await eventually(async () => expect(await server.cli('exists', 'k')).toBe('0'));
  });

  it('a refresh that is sent again after the unlock does not shorten the hold of the next one of this process', async () => {
    const before = await locks.new('k', '10s').lock();
    const [waiting, second] = [locks.new('k', '10s').lock(), locks.new('k', '10s').lock()];
    await before.unlock();
    const first = await waiting;
    // Nobody can be reached, so that what is sent now is sent again later, after pauses.
    proxy.lead(1);
    proxy.cut();
    const refreshing = first.refresh('9500ms').catch((error: unknown) => error);
    const unlocking = first.unlock();
    const back = sleep(150).then(() => proxy.lead(server.port));
    const next = await second;
    await back;
    await next.refresh('60s');
    expect(await refreshing).toMatchObject({ code: 'ERR_LOCK_NOT_HELD' });
    await unlocking;
    // Whatever was to be sent again has been.
    await sleep(700);
    const believed = next.remaining();
    expect(believed).toBeGreaterThan(50_000);
    expect(Number(await server.cli('pttl', 'k'))).toBeGreaterThanOrEqual(believed);
  });
});
