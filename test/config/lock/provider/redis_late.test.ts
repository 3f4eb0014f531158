import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../../support/redis_server.js';
import { TcpProxy } from '../../../support/tcp_proxy.js';

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
