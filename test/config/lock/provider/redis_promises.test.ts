import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { runScript } from '../../../support/child.js';
import { describeWithOwnRedis, startCluster, startRedis, type RedisServer } from '../../../support/redis_server.js';
import { TcpProxy } from '../../../support/tcp_proxy.js';
import { eventually } from '../../../support/time.js';

/** What docs/lock.md and docs/safety.md promise of a server in trouble, and of tokens of one's own. */
describeWithOwnRedis('on redis', () => {
  let server: RedisServer;
  let client: Redis;
  const open: lock.LockFactory[] = [];
  const factory = (options: { yield?: boolean } = {}): lock.LockFactory => {
    const locks = lock.open({ provider: 'redis', client, commandTimeout: '2s', ...options });
    open.push(locks);
    return locks;
  };

  beforeEach(async () => {
    server = await startRedis();
    client = new Redis({ host: server.host, port: server.port, lazyConnect: true });
  });
  afterEach(async () => {
    await Promise.allSettled(open.splice(0).map((locks) => locks.close(500)));
    await server.stop();
  });

  it.each([false, true])(
    'unlock and refresh go on when it is out of memory, and hand on to who stands in line; new locks are refused (yield %s)',
    async (yields) => {
      const [ours, theirs] = [factory({ yield: yields }), factory({ yield: yields })];
      const held = await ours.new('k', '60s').lock();
      const waiting = theirs.new('k', '60s').lock();
      await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('1'));
      await server.cli('config', 'set', 'maxmemory', '1');
      await expect(ours.new('new', '1s').tryLock()).rejects.toThrow(/OOM/);
      await held.refresh('50s');
      await held.unlock();
      const next = await waiting;
      expect(await server.cli('get', 'k')).toBe(next.token);
      await next.unlock();
      expect(await server.cli('exists', 'k', 'k:~q', 'new')).toBe('0');
    },
  );

  it('a fence is higher than all before it after the loss of all data, hand-overs inside the process included', async () => {
    const locks = factory();
    const fences: bigint[] = [];
    for (let round = 0; round < 3; round += 1) {
      const before = await locks.new('k', '60s').lock();
      const waits = Array.from({ length: 300 }, async () => {
        await using one = await locks.new('k', '60s').lock();
        fences.push(one.fence!);
      });
      fences.push(before.fence!);
      await before.unlock();
      await Promise.all(waits);
      await server.cli('flushall');
    }
    fences.slice(1).forEach((fence, at) => expect(fence).toBeGreaterThan(fences[at]!));
  });

  it('two processes with the same token and metadata are one holder; with other metadata they are two', async () => {
    const [ours, theirs] = [factory(), factory()];
    const same = { token: 'mine', metadata: 'a' };
    const first = await ours.new('k', '60s', same).lock();
    await expect(theirs.new('k', '60s', { token: 'mine', metadata: 'b' }).tryLock()).rejects.toBeInstanceOf(
      lock.NotObtainedError,
    );
    const second = await theirs.new('k', '30s', same).tryLock();
    expect(second.fence).toBeGreaterThan(first.fence!);
    // The first counts on its own lifetime.
    expect(Number(await server.cli('pttl', 'k'))).toBeGreaterThanOrEqual(first.remaining());
    expect(first.remaining()).toBeGreaterThan(50_000);
    await first.unlock();
    expect(await server.cli('exists', 'k')).toBe('0');
    await expect(second.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
  });

  it('a wait that is given up takes nothing from another process that was given the key under the same token', async () => {
    const [holder, ours, theirs] = [factory(), factory(), factory()];
    const held = await holder.new('k', '60s').lock();
    const mine = ours.new('k', '60s', { token: 'mine' }).lock();
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('1'));
    const controller = new AbortController();
    const theirWait = theirs.new('k', '60s', { token: 'mine' }).lock({ signal: controller.signal });
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('2'));
    await held.unlock();
    const given = await mine;
    controller.abort();
    await expect(theirWait).rejects.toBe(controller.signal.reason);
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('0'));
    expect([given.held, await server.cli('exists', 'k')]).toEqual([true, '1']);
  });

  it('a program ends by itself while the second connection of RESP2, on which it would hear, is being made in vain', async () => {
    await using old = await startRedis({ args: ['--rename-command', 'HELLO', ''] });
    await old.cli('set', 'k', 'held by a client without a token', 'PX', '60000');
    // Takes connections and never says a word.
    const taken = new Set<Socket>();
    const silent = createServer((socket) => void taken.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const proxy = new TcpProxy(old.port);
    await proxy.listen();
    const { code, timedOut, stdout, stderr } = await runScript(
      `import { Cluster, Redis } from 'ioredis';
       import { setTimeout as sleep } from 'node:timers/promises';
       import { lock } from 'mcube-lock';
       const locks = lock.open({ provider: 'redis', client: new Redis({ port: ${proxy.port}, lazyConnect: true }) });
       await (await locks.new('warm', '10s').lock()).unlock();
       console.log('warm');
       await sleep(400);
       // While it is being made, and after that: Redis has said that another has the key.
       for (const wait of ['300ms', '1500ms']) await locks.new('k', '60s').lock({ wait }).catch(({ code }) => console.log(code));`,
      { onOutput: () => proxy.lead((silent.address() as AddressInfo).port) },
    );
    for (const socket of taken) socket.destroy();
    await proxy.close();
    await new Promise((resolve) => silent.close(resolve));
    expect(taken.size).toBeGreaterThan(0);
    expect({ code, timedOut, stdout, stderr }).toEqual({
      code: 0,
      timedOut: false,
      stdout: 'warm\nERR_LOCK_NOT_OBTAINED\nERR_LOCK_NOT_OBTAINED\n',
      stderr: '',
    });
  });

  it('on a cluster the release of a Go service is noticed within some 0.1 s, without connections for it', async () => {
    await using cluster = await startCluster();
    const nodes = new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })));
    const locks = lock.open({ provider: 'redis', client: nodes });
    open.push(locks);
    const waits: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      await nodes.set('k', 'GoGoGoGoGoGoGoGoGoGoGA', 'PX', 60_000);
      const waiting = locks.new('k', '60s').lock({ wait: '10s' });
      await sleep(150);
      for (const node of cluster.nodes) expect(await node.cli('client', 'list')).not.toMatch(/ flags=\S*t/);
      await nodes.del('k');
      const released = performance.now();
      await (await waiting).unlock();
      waits.push(performance.now() - released);
    }
    nodes.disconnect();
    await locks.close();
    // The safety timer alone would be some 850 ms.
    expect(waits.sort((a, b) => a - b)[2]).toBeLessThan(250);
  });
});
