import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { SCRIPT } from '../../../../src/config/lock/provider/redis/script.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../../support/redis_server.js';
import { TcpProxy } from '../../../support/tcp_proxy.js';
import { eventually, undisturbed } from '../../../support/time.js';

describeWithOwnRedis('when Redis fails', () => {
  let server: RedisServer;
  let locks: lock.LockFactory;

  const open = (commandTimeout: string): lock.LockFactory => {
    const client = new Redis({ host: server.host, port: server.port, lazyConnect: true });
    return lock.open({ provider: 'redis', client, commandTimeout });
  };
  /** Of a server that answers, an answer comes within the limit, however busy the machine is; and on a connection. */
  const warm = (): Promise<void> =>
    eventually(async () => {
      await (await locks.new('warm', '60s').lock()).unlock();
    });

  beforeEach(async () => {
    server = await startRedis();
    locks = open('600ms');
    await warm();
  });
  afterEach(async () => {
    await locks.close(100).catch(() => undefined);
    await server.stop();
  });

  it('an unreachable server is told within the wait of the caller, or within the limit of a command', async () => {
    await server.kill();
    await undisturbed(50, async () => {
      const started = performance.now();
      const error = await locks
        .new('k', '10s')
        .lock({ wait: '200ms' })
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(lock.ProviderUnreachableError);
      expect(error).toMatchObject({
        code: 'ERR_LOCK_PROVIDER_UNREACHABLE',
        message: expect.stringMatching(/gave no answer within .*ECONNREFUSED/),
      });
      expect(performance.now() - started).toBeLessThan(500);
      for (const call of ['lock', 'tryLock'] as const) {
        await expect(locks.new('k', '10s')[call]()).rejects.toThrow(/redis gave no answer within .*ECONNREFUSED/);
      }
      expect(performance.now() - started).toBeLessThan(3_000);
    });
  });

  it('a cluster of which no node answers is told with the nodes that failed', async () => {
    await server.kill();
    const { host, port } = server;
    const client = new Cluster([{ host, port }], { lazyConnect: true });
    const ofCluster = lock.open({ provider: 'redis', client });
    await expect(ofCluster.new('k', '10s').lock({ wait: '500ms' })).rejects.toThrow(`closed. (${host}:${port})`);
    await ofCluster.close();
  });

  it('no fence is given out twice, though there was no memory to write one down', async () => {
    const redis = new Redis({ host: server.host, port: server.port });
    const [one, other] = ['1', '2'].map((letter) => letter.repeat(22)) as [string, string];
    await redis.set('k2', other, 'PX', 60_000);
    const asked = ['O', one, '60000', '4096', '', 'R', other, 'O', one, '60000', '4096', ''];
    const keys = ['guard', 'k1', 'l1', 'k2', 'l2', 'k3', 'l3'];
    await redis.config('SET', 'maxmemory', 1);
    const run = redis.eval(SCRIPT, keys.length, ...keys, '', '', '0', '0', '4096', JSON.stringify(asked));
    // Behind a DEL Redis does not look at its memory again.
    const [refused, released, fence] = (await run) as [Error, number, number];
    await redis.config('SET', 'maxmemory', 0);
    expect([refused.message, released]).toEqual([expect.stringContaining('OOM'), 1]);
    expect(Number(await redis.get('guard'))).toBe(fence + 4_095);
    expect(await redis.eval(SCRIPT, 2, 'guard', 'k4', one, '60000')).toBeGreaterThan(fence + 4_095);
    await redis.quit();
  });

  it('a connection that was begun for a wait that is over is there for the next one', async () => {
    const proxy = new TcpProxy(server.port);
    await proxy.listen();
    proxy.delay({ requests: 60, replies: 60 });
    const client = new Redis({ host: server.host, port: proxy.port, db: 2, lazyConnect: true });
    try {
      await using far = lock.open({ provider: 'redis', client });
      // To connect, and to select the database, takes longer than that; a lock does not.
      const held = await eventually(() => far.new('k', '10s').lock({ wait: '190ms' }), 5_000);
      await held.unlock();
    } finally {
      await proxy.close();
    }
  });

  it('is told by what happened to this connection, not to an earlier one', async () => {
    await server.kill();
    await expect(locks.new('k', '10s').tryLock()).rejects.toThrow(/ECONNREFUSED/);
    await server.restart();
    await warm();
    server.pause();
    await expect(locks.new('k', '10s').tryLock()).rejects.toThrow(/no answer within \d+(\.\d+)?m?s$/);
    server.resume();
  });

  it('a server that still loads its data is told, also on a new connection', async () => {
    await using loading = await startRedis({ args: ['--enable-debug-command', 'yes'] });
    await loading.cli('debug', 'populate', '5000', 'key', '1000');
    await loading.cli('config', 'set', 'key-load-delay', '1000', 'loading-process-events-interval-bytes', '1024');
    const loaded = loading.cli('debug', 'reload');
    await eventually(async () => expect(await loading.cli('info', 'persistence')).toContain('loading:1'));
    const client = new Redis({ host: loading.host, port: loading.port, lazyConnect: true });
    await using early = lock.open({ provider: 'redis', client, commandTimeout: '600ms' });
    await expect(early.new('k', '10s').tryLock()).rejects.toThrow(/no answer within .*LOADING/);
    const waiting = eventually(() => early.new('k', '60s').lock());
    await loaded;
    expect((await waiting).held).toBe(true);
  });

  it('a database that the server refuses is told, and no other is used', async () => {
    const client = new Redis({
      host: server.host,
      port: server.port,
      db: 99,
      lazyConnect: true,
      enableReadyCheck: false,
    });
    const elsewhere = lock.open({ provider: 'redis', client, commandTimeout: '600ms' });
    const tries = [1, 2, 3].map((n) => elsewhere.new(`k${n}`, '10s').tryLock());
    for (const outcome of await Promise.allSettled(tries)) {
      expect(outcome).toMatchObject({ reason: { message: 'lock: redis refused: ERR DB index is out of range' } });
    }
    expect(await server.cli('keys', 'k*')).toBe('');
    await elsewhere.close();
  });

  it('a connection that takes its time to be made again costs no lease that the server has', async () => {
    const proxy = new TcpProxy(server.port);
    await proxy.listen();
    const client = new Redis({ host: server.host, port: proxy.port, lazyConnect: true });
    const slow = lock.open({ provider: 'redis', client });
    try {
      await undisturbed(100, async () => {
        proxy.delay({ requests: 0, replies: 0 });
        await (await slow.new('warm', '60s').lock()).unlock();
        proxy.delay({ requests: 150, replies: 150 });
        await using held = await slow.new('k', 1_500, { renew: true }).lock();
        proxy.cut();
        await sleep(3_500);
        expect(held.held).toBe(true);
      });
    } finally {
      await slow.close();
      await proxy.close();
    }
  }, 60_000);

  it('a connection that breaks under many questions is made anew once, and none is left when the locks are closed', async () => {
    const proxy = new TcpProxy(server.port);
    await proxy.listen();
    const client = new Redis({ host: server.host, port: proxy.port, lazyConnect: true });
    const many = lock.open({ provider: 'redis', client, batchCap: 1 });
    try {
      const keys = ['a', 'b', 'c', 'd'];
      const held = await Promise.all(keys.map((key) => locks.new(key, '60s').lock()));
      const waiting = keys.map((key) => many.new(key, '60s').lock());
      for (const key of keys) await eventually(async () => expect(await server.cli('llen', `${key}:~q`)).toBe('1'));
      for (let cut = 0; cut < 5; cut += 1) {
        proxy.hold();
        const asked = [1, 2, 3].map((n) => many.new(`other ${n}`, '60s').lock());
        await sleep(5);
        proxy.release();
        proxy.cut();
        for (const one of asked) await (await one).unlock();
        await sleep(50);
        expect(proxy.links).toBe(1);
      }
      for (const one of held) await one.unlock();
      for (const one of waiting) await (await one).unlock();
      await many.close();
      await eventually(() => expect(proxy.links).toBe(0));
    } finally {
      await many.close();
      await proxy.close();
    }
  });

  it('what cannot be asked because its connection is still being made is told as that', async () => {
    const proxy = new TcpProxy(server.port);
    await proxy.listen();
    proxy.hold();
    const client = new Redis({ host: server.host, port: proxy.port, lazyConnect: true });
    const slow = lock.open({ provider: 'redis', client, commandTimeout: '300ms' });
    const place = `the connection to ${server.host}:${proxy.port} is still being made`;
    try {
      await expect(slow.new('k', '60s').tryLock()).rejects.toThrow(place);
      await expect(slow.new('k', '60s').lock({ wait: '100ms' })).rejects.toThrow(place);
    } finally {
      await slow.close();
      await proxy.close();
    }
  });

  it('closing waits for the answer of a release that is under way', async () => {
    const proxy = new TcpProxy(server.port);
    await proxy.listen();
    const client = new Redis({ host: server.host, port: proxy.port, lazyConnect: true });
    const slow = lock.open({ provider: 'redis', client });
    try {
      const held = await slow.new('k', '60s').lock();
      proxy.delay({ requests: 0, replies: 100 });
      const released = held.unlock();
      await slow.close();
      await released;
    } finally {
      await proxy.close();
    }
  });

  it('everybody in line is told, not one after the other', async () => {
    await server.kill();
    await undisturbed(100, async () => {
      const started = performance.now();
      const waits = Array.from({ length: 9 }, () => locks.new('k', '10s').lock());
      for (const outcome of await Promise.allSettled(waits)) {
        expect(outcome).toMatchObject({ reason: { code: 'ERR_LOCK_PROVIDER_UNREACHABLE' } });
      }
      // One after the other they would take nine limits of 600 ms.
      expect(performance.now() - started).toBeLessThan(1_200);
    });
  });

  it('a server that comes back in time is not noticed', async () => {
    await using patient = open('30s');
    await (await patient.new('k', '60s').lock()).unlock();
    await server.kill();
    const wait = patient.new('k', '60s').lock({ wait: '30s' });
    await sleep(100);
    await server.start();
    const held = await wait;
    expect(held.held).toBe(true);
    await held.unlock();
  });

  it('an acquisition whose answer was lost is undone with our own token', async () => {
    server.pause();
    const lost = locks.new('k', '30s');
    await expect(lost.tryLock()).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
    expect(lost.held).toBe(false);
    server.resume();
    await eventually(async () => expect(await server.cli('exists', 'k')).toBe('0'));
    // It was taken, in the moment the server went on, and given back.
    await eventually(async () => expect(await server.cli('get', 'mlk:fence')).not.toBe(''));
    await warm();
  });

  it('a wait that is over or aborted while the server is silent never takes the lock later', async () => {
    server.pause();
    const controller = new AbortController();
    const waits = [
      locks.new('a', '30s').lock({ wait: '50ms' }),
      locks.new('b', '30s').lock({ signal: controller.signal }),
    ];
    const outcomes = Promise.allSettled(waits);
    await sleep(60);
    controller.abort();
    await outcomes;
    server.resume();
    await eventually(async () => expect(await server.cli('exists', 'a', 'b')).toBe('0'));
    await sleep(100);
    expect(await server.cli('exists', 'a', 'b')).toBe('0');
  });

  it('an unlock without an answer says so, counts as not held, and is done again in the background', async () => {
    const held = await locks.new('k', '30s').lock();
    server.pause();
    await expect(held.unlock()).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
    expect(held.held).toBe(false);
    await expect(held.refresh()).rejects.toBeInstanceOf(lock.LockNotHeldError);
    server.resume();
    await eventually(async () => expect(await server.cli('exists', 'k')).toBe('0'));
    await eventually(() => held.unlock());
    await expect(held.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
  });

  it('an unlock without an answer is done again for as long as a refresh has made the hold last', async () => {
    const proxy = new TcpProxy(server.port);
    await proxy.listen();
    const client = new Redis({ host: server.host, port: proxy.port, lazyConnect: true });
    const far = lock.open({ provider: 'redis', client, commandTimeout: '300ms' });
    try {
      const held = await eventually(() => far.new('k', '300ms').lock());
      await held.refresh('60s');
      proxy.hold();
      await expect(held.unlock()).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
      // Longer than the first lifetime and the limit of a command.
      await sleep(1_500);
      proxy.cut();
      proxy.release();
      await eventually(async () => expect(await server.cli('exists', 'k')).toBe('0'));
    } finally {
      await far.close(100).catch(() => undefined);
      await proxy.close();
    }
  });

  it('a refresh without an answer leaves the lease as it surely is: never longer than before, lost at its end', async () => {
    const held = await locks.new('k', '2s').lock();
    const { signal } = held;
    server.pause();
    const asked = performance.now();
    const before = held.remaining();
    await expect(held.refresh('60s')).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
    expect(held.remaining()).toBeLessThanOrEqual(before - (performance.now() - asked) + 1);
    await eventually(() => expect(signal.aborted).toBe(true));
    expect(held.held).toBe(false);
    server.resume();
  });

  it('a refresh to a shorter life counts from the moment it is sent, answered or not', async () => {
    const held = await locks.new('k', '60s').lock();
    server.pause();
    const refreshing = held.refresh('500ms').catch((error: unknown) => error);
    expect(held.remaining()).toBeLessThanOrEqual(500);
    await refreshing;
    server.resume();
  });

  it('a renewed lease that gets no answer until its end is lost as unreachable', async () => {
    await undisturbed(100, async () => {
      const held = await locks.new('k', '900ms', { renew: true }).lock();
      const { signal } = held;
      server.pause();
      try {
        await eventually(() => expect(signal.aborted).toBe(true));
        expect(signal.reason).toMatchObject({ reason: 'unreachable' });
      } finally {
        server.resume();
        await eventually(() => warm());
      }
    });
  });

  it('a cut connection in the middle is healed by asking again', async () => {
    await using patient = open('20s');
    const held = await patient.new('k', '60s').lock();
    await server.cli('client', 'kill', 'type', 'normal', 'skipme', 'yes');
    await held.refresh();
    await server.cli('client', 'kill', 'type', 'normal', 'skipme', 'yes');
    await held.unlock();
    expect(await server.cli('exists', 'k')).toBe('0');
  });

  it('a wrong password is told without showing it', async () => {
    const guarded = await startRedis({ password: 'right' });
    const stranger = new Redis({ host: guarded.host, port: guarded.port, password: 'hunter2', lazyConnect: true });
    const closed = lock.open({ provider: 'redis', client: stranger, commandTimeout: '10s' });
    const error = await closed
      .new('k', '1s')
      .tryLock()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_LOCK_PROVIDER' });
    expect((error as Error).message).toContain('WRONGPASS');
    const { inspect } = await import('node:util');
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
    await closed.close();
    await guarded.stop();
  });

  it('close ends within its limit when the server is silent', async () => {
    const held = await locks.new('k', '30s').lock();
    server.pause();
    const started = performance.now();
    await expect(locks.close(200)).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
    // Its limit of 200 ms, and a busy machine; without it, until the server answers.
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(held.held).toBe(false);
    server.resume();
  });
});
