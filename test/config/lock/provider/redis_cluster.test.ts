import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Cluster, Redis, type ClusterOptions } from 'ioredis';
import { lock } from 'mcube-lock';
import { lineOf, slot } from '../../../../src/config/lock/provider/redis/slots.js';
import { handOver, isToldAtOnce, PATIENT } from '../../../support/hand_over.js';
import { keepsLockPromises } from '../../../support/lock_promises.js';
import { isAlive, runScript } from '../../../support/child.js';
import {
  describeWithOwnRedis,
  startCluster,
  startRedis,
  uniquePrefix,
  type RedisCluster,
  type RedisServer,
} from '../../../support/redis_server.js';
import { TcpProxy } from '../../../support/tcp_proxy.js';
import { eventually, undisturbed } from '../../../support/time.js';

const startupNodes = (cluster: RedisCluster) => cluster.nodes.map(({ host, port }) => ({ host, port }));

describeWithOwnRedis('locks on a cluster of three masters', () => {
  let cluster: RedisCluster;
  const factories: lock.LockFactory[] = [];

  const open = (prefix: string, options: ClusterOptions = {}, more = {}): lock.LockFactory => {
    const client = new Cluster(startupNodes(cluster), { lazyConnect: true, ...options } as object);
    const factory = lock.open({ provider: 'redis', client, prefix, ...more });
    factories.push(factory);
    return factory;
  };

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await Promise.all(factories.map((factory) => factory.close(500).catch(() => undefined)));
    await cluster.stop();
  });

  keepsLockPromises('redis cluster', () => {
    const prefix = uniquePrefix();
    const [ours, theirs] = [open(prefix), open(prefix)];
    return Promise.resolve({
      ours,
      theirs,
      close: async () => {
        await Promise.all([ours.close(), theirs.close()]);
      },
    });
  });

  it('keys of many slots are taken and handed over at once, with and without hash tags and braces', async () => {
    const prefix = uniquePrefix();
    const [ours, theirs] = [open(prefix), open(prefix)];
    const shapes = ['plain', '{tag}:x', 'x{tag}y', 'a}b', 'a{b', '{}', '}{', '{}{a}', '{{a}}', '中文 🔒'];
    const keys = Array.from({ length: 100 }, (_, n) => `${shapes[n % shapes.length]}${n}`);
    expect(new Set(keys.map((key) => slot(prefix + key))).size).toBeGreaterThan(50);
    const held = await Promise.all(keys.map((key) => ours.new(key, '60s').lock()));
    const waiting = keys.map((key) => theirs.new(key, '60s').lock({ wait: '20s' }));
    await sleep(100);
    await Promise.all(held.map((one) => one.unlock()));
    const next = await Promise.all(waiting);
    next.forEach(({ fence }) => expect(fence).toBeGreaterThan(0n));
    await Promise.all(next.map((one) => one.unlock()));
  });

  it('says so to who takes one of its nodes for a server', async () => {
    const [{ host, port }] = startupNodes(cluster) as [{ host: string; port: number }];
    await using locks = lock.open({ provider: 'redis', client: new Redis({ host, port, lazyConnect: true }) });
    for (const key of ['a', 'b'])
      await expect(locks.new(key, '60s').tryLock()).rejects.toThrow(
        /a node of a Cluster: set cluster = true in \[redis\]/,
      );
  });

  it('finds the slot that Redis finds', async () => {
    const [node] = cluster.nodes;
    for (const key of ['plain', '{tag}:x', 'x{tag}y', 'a}b', 'a{b', '{}', '}{', '{}{a}', '{{a}}', '{}}', '中文 {🔒}']) {
      expect(slot(key)).toBe(Number(await node!.cli('cluster', 'keyslot', key)));
    }
  });

  it('a waiter in another process is woken by the release, on every master', async () => {
    const prefix = uniquePrefix();
    const [ours, theirs] = [open(prefix, {}, PATIENT), open(prefix, {}, PATIENT)];
    // The first one begins to listen.
    await handOver(ours, theirs, 'first');
    for (let round = 0; round < 12; round += 1) await isToldAtOnce(ours, theirs, `k${round}`);
  });

  it("keys are at exactly the client's keyPrefix + prefix + key", async () => {
    const prefix = uniquePrefix();
    for (const options of [{ keyPrefix: 'app:' }, { redisOptions: { keyPrefix: 'app:' } }] as ClusterOptions[]) {
      const factory = open(prefix, { ...options, enableAutoPipelining: true, enableOfflineQueue: true });
      const held = await factory.new('k', '10s').lock();
      const plain = new Cluster(startupNodes(cluster));
      expect(await plain.get(`app:${prefix}k`)).toBe(held.token);
      await held.unlock();
      expect(await plain.exists(`app:${prefix}k`)).toBe(0);
      await plain.quit();
      await factory.close();
    }
  });

  it('follows a slot that moved to another master, also with somebody in line', async () => {
    const prefix = uniquePrefix();
    const [ours, theirs] = [open(prefix), open(prefix)];
    const key = 'moving';
    const at = String(slot(prefix + key));
    const held = await ours.new(key, '60s').lock();
    const waiting = theirs.new(key, '60s').lock({ wait: '10s' });
    await sleep(100);
    await moveSlot(cluster, at);
    await held.refresh();
    await held.unlock();
    const next = await waiting;
    expect(next.fence).toBeGreaterThan(0n);
    await next.unlock();
    await (await ours.new(key, '1s').tryLock()).unlock();
  });

  it('believes no message without an answer: of two nodes each has a clock of its own', async () => {
    const prefix = uniquePrefix();
    const [ours, theirs] = [open(prefix), open(prefix)];
    const held = await ours.new('k', '60s').lock();
    let isServed = false;
    const waiting = theirs.new('k', '60s').lock();
    void waiting.then(() => (isServed = true));
    const nodes = new Cluster(startupNodes(cluster));
    const line = lineOf(`${prefix}k`, true);
    const entry = await eventually(async () => {
      const [first] = await nodes.lrange(line, 0, 0);
      expect(first).toBeDefined();
      return first!;
    });
    const [channel, wid] = entry.split('|') as [string, string];
    await nodes.publish(channel, `${wid}|${Date.now() * 1_000}|${Date.now() * 1_000}`);
    await sleep(100);
    expect([isServed, held.held]).toEqual([false, true]);
    await held.unlock();
    await (await waiting).unlock();
    await nodes.quit();
  });

  it('renews what is held while its slot moves, for as long as that takes', async () => {
    const prefix = uniquePrefix();
    const locks = open(prefix);
    const keys = ['{k}one', '{k}other', '{k}third'];
    const held = await Promise.all(keys.map((key) => locks.new(key, '2s', { renew: true }).lock()));
    await moveSlot(cluster, String(slot('{k}')), {
      begun: async (source, target) => {
        await sleep(2_500);
        // One of them alone is on the other side for a while.
        await source.cli('migrate', target.host, String(target.port), `${prefix}{k}one`, '0', '5000');
        await sleep(3_000);
      },
      moved: () => sleep(2_500),
    });
    expect(held.map((one) => one.held)).toEqual([true, true, true]);
    await Promise.all(held.map((one) => one.unlock()));
  });

  it('a wait that was given up while its slot moved takes nothing later', async () => {
    const prefix = uniquePrefix();
    const locks = open(prefix);
    const keys = Array.from({ length: 12 }, (_, n) => `given up ${n}`);
    for (const key of keys) {
      await (await locks.new(key, '60s').lock()).unlock();
      let outcome: Promise<unknown> | undefined;
      await moveSlot(cluster, String(slot(prefix + key)), {
        // Of the two keys of the script one is absent: try again, says the server, and ioredis does.
        begun: async () => {
          outcome = locks
            .new(key, '60s')
            .lock({ wait: '50ms' })
            .catch((error: unknown) => error);
          await sleep(20);
        },
        moved: () => sleep(150 + Math.floor(Math.random() * 100)),
      });
      expect(await outcome).toBeInstanceOf(Error);
    }
    await eventually(async () => {
      for (const key of keys) await (await locks.new(key, '1s').tryLock()).unlock();
    });
  });

  it.each([
    { when: 'while it is waited for', commandTimeout: '5s', from: 1_000, told: 'released' },
    { when: 'when it has failed', commandTimeout: '1s', from: 3_000, told: 'ERR_LOCK_PROVIDER_UNREACHABLE' },
  ])(
    'a release that its node sends to another master $when ends no hold that came there first under the same token',
    async (row) => {
      const prefix = uniquePrefix();
      const [factory, stranger] = [open(prefix, {}, { commandTimeout: row.commandTimeout }), open(prefix)];
      const [key, other] = keysOfEach(row.from) as [string, string];
      const [first, next] = [1, 2].map(() => factory.new(key, '60s', { token: 'mine' })) as [lock.Lock, lock.Lock];
      const held = [await first.lock(), await factory.new(other, '60s').lock()] as const;
      const source = await moveSlot(cluster, String(slot(key)));
      await moveSlot(cluster, String(slot(other)));
      // This node tells late where the key is now; of the others we hear at once that slots have moved.
      source.pause();
      try {
        const released = held[0].unlock().then(
          () => 'released',
          (error: lock.ProviderError) => error.code,
        );
        await held[1].unlock();
        if (row.told !== 'released') await released;
        await eventually(() => next.tryLock({ signal: AbortSignal.timeout(100) }), 1_800);
        expect(await released).toBe(row.told);
      } finally {
        source.resume();
      }
      await sleep(200);
      await expect(stranger.new(key, '60s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
      await next.unlock();
    },
  );

  it('what the application has its client hold back is not held back of ours: a release would follow its slot behind the next hold', async () => {
    const prefix = uniquePrefix();
    const [factory, stranger] = [open(prefix, { retryDelayOnMoved: 400 }), open(prefix)];
    const [key] = keysOfEach(4_000) as [string];
    const first = await factory.new(key, '60s', { token: 'mine' }).lock();
    const source = await moveSlot(cluster, String(slot(key)));
    const beside = factory.new(`${key}beside`, '60s').lock();
    await sleep(340);
    source.pause();
    const released = first.unlock();
    try {
      // The question beside has found the new master by now.
      await sleep(120);
      await (await beside).unlock();
    } finally {
      source.resume();
    }
    await sleep(30);
    const next = await factory.new(key, '60s', { token: 'mine' }).lock();
    await sleep(500);
    await expect(stranger.new(key, '60s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
    await Promise.all([released, next.unlock()]);
  });

  it('works beside a client that follows no redirection', async () => {
    const factory = open(uniquePrefix(), { maxRedirections: 0 });
    for (const node of cluster.nodes) await node.cli('script', 'flush');
    await (await factory.new('k', '1s').tryLock()).unlock();
  });

  it('who waits here while the slot moves is served, though the line has none but the dead', async () => {
    const prefix = uniquePrefix();
    const locks = open(prefix);
    const key = `{${prefix}}dead`;
    const first = await locks.new(key, '60s').lock();
    const dead = ['mlk:deadDeadDead', 'wid4wid4wid4', '5000', '8', 'x'.repeat(22)].join('|');
    await cluster.nodes[0]!.cli('-c', 'rpush', lineOf(prefix + key, true), dead);
    let waiting!: Promise<lock.Lock>;
    await moveSlot(cluster, String(slot(prefix + key)), {
      begun: async () => {
        waiting = locks.new(key, '60s').lock({ wait: '20s' });
        waiting.catch(() => undefined);
        await sleep(20);
        await first.unlock();
        await sleep(200);
      },
    });
    await (await waiting).unlock();
  });

  it('a question that its node sends to another master takes nothing there behind its undoing', async () => {
    const prefix = uniquePrefix();
    const [factory, stranger] = [open(prefix), open(prefix)];
    const [key, other] = keysOfEach(2_000) as [string, string];
    await (await factory.new(key, '60s').lock()).unlock();
    const held = await factory.new(other, '60s').lock();
    const source = await moveSlot(cluster, String(slot(key)));
    await moveSlot(cluster, String(slot(other)));
    const controller = new AbortController();
    source.pause();
    try {
      const asked = factory.new(key, '60s').tryLock({ signal: controller.signal });
      asked.catch(() => undefined);
      await held.unlock();
      const sibling = factory.new(`${key}beside`, '60s');
      await eventually(() => sibling.tryLock({ signal: AbortSignal.timeout(100) }), 1_800);
      controller.abort(new Error('enough'));
      await expect(asked).rejects.toThrow('enough');
      await sibling.unlock();
    } finally {
      source.resume();
    }
    await sleep(200);
    await (await stranger.new(key, '60s').tryLock()).unlock();
  });

  it('a connection that is cut is healed, and who stood in line is served', async () => {
    const prefix = uniquePrefix();
    const [ours, theirs] = [open(prefix), open(prefix)];
    await undisturbed(100, async () => {
      const held = await ours.new('cut', '60s').lock();
      const waiting = theirs.new('cut', '60s').lock({ wait: '20s' });
      await sleep(100);
      for (const node of cluster.nodes) await node.cli('client', 'kill', 'type', 'normal', 'skipme', 'yes');
      for (const node of cluster.nodes) await node.cli('client', 'kill', 'type', 'pubsub');
      await held.refresh();
      await sleep(200);
      const released = performance.now();
      await held.unlock();
      await (await waiting).unlock();
      expect(performance.now() - released).toBeLessThan(1_500);
    });
  });

  it('a connection that died without a word is opened anew, though other nodes answer', async () => {
    const { proxies, client } = await behindProxies(cluster);
    const factory = lock.open({ provider: 'redis', client, prefix: uniquePrefix(), commandTimeout: '500ms' });
    const keys = keysOfEach();
    const use = async (key: string): Promise<void> => (await factory.new(key, '5s').tryLock()).unlock();
    for (const key of keys) await use(key);
    const held = await factory.new(`${keys[0]}held`, '2s', { renew: true }).lock();
    proxies[0]!.halve('server');
    let goesOn = true;
    const others = (async () => {
      for (; goesOn; await sleep(1)) await use(keys[1]!).catch(() => undefined);
    })();
    const served = eventually(() => use(keys[0]!), 6_000);
    await Promise.allSettled([served, sleep(3_000)]);
    goesOn = false;
    await others;
    const isHeld = held.held;
    await factory.close(500).catch(() => undefined);
    await Promise.all(proxies.map((proxy) => proxy.close()));
    await served;
    expect(isHeld).toBe(true);
  }, 60_000);

  it('a master that takes connections and says nothing keeps nobody from being told by the others', async () => {
    const { proxies, client } = await behindProxies(cluster);
    const prefix = uniquePrefix();
    const [silent, other] = keysOfEach() as [string, string];
    proxies[0]!.hold();
    const [ours, theirs] = [1, 2].map(() => lock.open({ provider: 'redis', client, prefix, ...PATIENT })) as [
      lock.LockFactory,
      lock.LockFactory,
    ];
    try {
      // The first one to wait finds it out.
      await eventually(() => isToldAtOnce(ours, theirs, other), 3_000);
      proxies[0]!.release();
      await eventually(() => isToldAtOnce(ours, theirs, silent), 10_000);
    } finally {
      await Promise.all([ours, theirs].map((factory) => factory.close(500).catch(() => undefined)));
      await Promise.all(proxies.map((proxy) => proxy.close()));
    }
  });

  it('masters that say nothing keep nobody from what another one has', async () => {
    const { proxies, client } = await behindProxies(cluster);
    const locks = lock.open({ provider: 'redis', client, prefix: uniquePrefix(), commandTimeout: '1s' });
    const last = keysOfEach()[2]!;
    for (const proxy of proxies.slice(0, 2)) proxy.hold();
    try {
      await (await locks.new(last, '60s').tryLock()).unlock();
    } finally {
      await locks.close(500).catch(() => undefined);
      await Promise.all(proxies.map((proxy) => proxy.close()));
    }
  });

  it('a cluster is used though its masters are far away, and take long to say anything', async () => {
    const { proxies, client } = await behindProxies(cluster);
    for (const proxy of proxies) proxy.delay({ requests: 400, replies: 400 });
    const near = client.duplicate([{ host: 'localhost', port: cluster.nodes[2]!.port }]);
    const locks = lock.open({ provider: 'redis', client: near, prefix: uniquePrefix() });
    try {
      await (await locks.new('k', '60s').tryLock()).unlock();
    } finally {
      await locks.close(500).catch(() => undefined);
      await Promise.all(proxies.map((proxy) => proxy.close()));
    }
  });

  it('a startup node that the others have lost is passed over', async () => {
    await using lost = await startRedis({ cluster: true, args: ['--cluster-announce-ip', '127.0.0.1'] });
    await lost.cli('cluster', 'addslotsrange', '0', '5460');
    await eventually(async () => expect(await lost.cli('cluster', 'info')).toContain('cluster_slots_ok:5461'));
    const nodes = [lost, cluster.nodes[1]!].map(({ host, port }) => ({ host, port }));
    // Which one is asked first is left to chance.
    for (let round = 0; round < 8; round += 1) {
      const client = new Cluster(nodes, { lazyConnect: true });
      await using locks = lock.open({ provider: 'redis', client, prefix: uniquePrefix() });
      const held = await Promise.all(keysOfEach().map((key) => locks.new(key, '60s').tryLock()));
      await Promise.all(held.map((one) => one.unlock()));
    }
  });

  it('does not keep an idle process alive, and its connections stay open until then', async () => {
    const script = `
      import { Cluster } from 'ioredis';
      import { lock } from 'mcube-lock';
      const client = new Cluster(${JSON.stringify(startupNodes(cluster))}, { lazyConnect: true, slotsRefreshInterval: 200 });
      const [one, other] = [1, 2].map(() => lock.open({ provider: 'redis', client, prefix: '${uniquePrefix()}' }));
      const held = await Promise.all(Array.from({ length: 30 }, (_, n) => one.new('k' + n, '60s').lock()));
      const waiting = Array.from({ length: 30 }, (_, n) => other.new('k' + n, '60s').lock());
      await new Promise((resolve) => setTimeout(resolve, 100));
      await Promise.all(held.map((lock) => lock.unlock()));
      await Promise.all((await Promise.all(waiting)).map((lock) => lock.unlock()));
      const last = performance.now();
      process.once('exit', () => console.log(Math.round(performance.now() - last)));
    `;
    const ended = await runScript(script);
    expect(ended).toMatchObject({ code: 0, timedOut: false, stderr: '' });
    expect(Number(ended.stdout)).toBeLessThan(1_800);
  });

  it('a master that takes no connection keeps a program alive for no longer than it waits', async () => {
    await using small = await startCluster(2, { args: ['--tcp-backlog', '1'] });
    const [full, { port }] = small.nodes as [RedisServer, RedisServer];
    full.pause();
    const guests = Array.from({ length: 8 }, () => createConnection(full.port, full.host).on('error', () => undefined));
    const script = `
      import { Cluster } from 'ioredis';
      import { lock } from 'mcube-lock';
      const dnsLookup = (host, tell) => tell(null, host);
      const client = new Cluster([{ host: 'localhost', port: ${port} }], { lazyConnect: true, dnsLookup });
      const locks = lock.open({ provider: 'redis', client, prefix: '${uniquePrefix()}' });
      const { code } = await locks.new('{12000}', '10s', { wait: '300ms' }).lock().catch((error) => error);
      const last = performance.now();
      process.once('exit', () => console.log(code, Math.round(performance.now() - last)));
    `;
    const ended = await runScript(script);
    for (const guest of guests) guest.destroy();
    full.resume();
    expect(ended).toMatchObject({ code: 0, timedOut: false, stderr: '' });
    expect(Number(ended.stdout.split(' ')[1])).toBeLessThan(3_000);
  });

  it('a wrong password is told at once, without showing it', async () => {
    await using guarded = await startCluster(1, { password: 'right' });
    const client = new Cluster(startupNodes(guarded), { lazyConnect: true, redisOptions: { password: 'hunter2' } });
    await using factory = lock.open({ provider: 'redis', client, commandTimeout: '10s' });
    const error = await factory
      .new('k', '1s')
      .tryLock()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_LOCK_PROVIDER' });
    expect((error as Error).message).toContain('WRONGPASS');
    expect((error as Error).message).not.toContain('hunter2');
  });

  // The last one: it takes a master away.
  it('a master that is gone is told for its keys alone, and is used again when it is back', async () => {
    const prefix = uniquePrefix();
    const [factory, other] = [1, 2].map(() => open(prefix, {}, { commandTimeout: '2s' })) as [
      lock.LockFactory,
      lock.LockFactory,
    ];
    for (const node of cluster.nodes) await node.cli('config', 'set', 'cluster-require-full-coverage', 'no');
    const lost = cluster.nodes[0]!;
    const keys = Array.from({ length: 30 }, (_, n) => `k${n}`);
    const first = (key: string): boolean => slot(prefix + key) < 16_384 / 3;
    const [on, again] = keys.filter(first) as [string, string];
    const off = keys.find((key) => !first(key))!;
    await isToldAtOnce(factory, other, again);
    const held = await factory.new(on, '60s').lock();
    const { pid } = lost;
    await lost.kill();
    expect(isAlive(pid)).toBe(false);
    // Nor does anybody else who was given its port.
    await expect(lost.cli('ping')).rejects.toThrow('Connection refused');
    await (await factory.new(off, '60s').lock()).unlock();
    await expect(held.refresh()).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
    await expect(factory.new(again, '1s').tryLock()).rejects.toBeInstanceOf(lock.ProviderError);
    await (await factory.new(off, '60s').lock()).unlock();
    await lost.start();
    await eventually(async () => (await factory.new(again, '60s').tryLock()).unlock(), 20_000);
    await sleep(200);
    await isToldAtOnce(factory, other, again);
  });
});

/**
 * A client that reaches each node through a network of the test. It knows the last one by a name, not by its address, so that this
 * one is not asked first for that.
 */
async function behindProxies({
  nodes,
}: Pick<RedisCluster, 'nodes'>): Promise<{ proxies: readonly TcpProxy[]; client: Cluster }> {
  const proxies = nodes.map(({ port }) => new TcpProxy(port));
  await Promise.all(proxies.map((proxy) => proxy.listen()));
  const natMap = Object.fromEntries(
    nodes.map(({ host, port }, at) => [`${host}:${port}`, { host, port: proxies[at]!.port }]),
  );
  const named = { host: 'localhost', port: proxies.at(-1)!.port };
  const dnsLookup: ClusterOptions['dnsLookup'] = (host, tell) => tell(null, host);
  return { proxies, client: new Cluster([named], { natMap, dnsLookup, lazyConnect: true }) };
}

/**
 * A key on each of three masters, by the default division of the slots.
 * @param first where the search for them begins: others, of slots that nobody has moved
 */
function keysOfEach(first = 0): readonly string[] {
  return [0, 6_000, 12_000].map((least) => {
    let n = first;
    while (slot(`{${n}}`) < least || slot(`{${n}}`) >= least + 5_000) n += 1;
    return `{${n}}`;
  });
}

/**
 * As an operator does with an empty importing and migrating state: keys first, then the owner, told to everybody.
 * @returns who had it before
 */
async function moveSlot(
  cluster: RedisCluster,
  which: string,
  on: { begun?: (source: RedisServer, target: RedisServer) => Promise<void>; moved?: () => Promise<void> } = {},
): Promise<RedisServer> {
  const ids = await Promise.all(cluster.nodes.map((node) => node.cli('cluster', 'myid')));
  const owns = await Promise.all(cluster.nodes.map((node) => node.cli('cluster', 'countkeysinslot', which)));
  const from = owns.findIndex((count) => count !== '0');
  const to = (from + 1) % cluster.nodes.length;
  const [source, target] = [cluster.nodes[from]!, cluster.nodes[to]!];
  await target.cli('cluster', 'setslot', which, 'importing', ids[from]!);
  await source.cli('cluster', 'setslot', which, 'migrating', ids[to]!);
  await on.begun?.(source, target);
  for (;;) {
    const keys = (await source.cli('cluster', 'getkeysinslot', which, '100')).split('\n').filter(Boolean);
    if (keys.length === 0) break;
    await source.cli('migrate', target.host, String(target.port), '', '0', '5000', 'keys', ...keys);
  }
  await on.moved?.();
  for (const node of [target, source, ...cluster.nodes]) await node.cli('cluster', 'setslot', which, 'node', ids[to]!);
  return source;
}

describeWithOwnRedis('locks on a cluster that speaks RESP2', () => {
  it('hear a master again whose second connection was lost', async () => {
    const cluster = await startCluster(3, { args: ['--rename-command', 'HELLO', ''] });
    const open = (): lock.LockFactory =>
      lock.open({ provider: 'redis', client: new Cluster(startupNodes(cluster), { lazyConnect: true }) });
    const [ours, theirs] = [open(), open()];
    // Of the first node.
    const key = Array.from({ length: 100 }, (_, n) => `k${n}`).find((name) => slot(name) < 5_000)!;
    try {
      const taken = async (): Promise<number> => {
        const held = await theirs.new(key, '60s').lock();
        const waiting = ours.new(key, '60s').lock();
        await sleep(300);
        const released = performance.now();
        await held.unlock();
        await (await waiting).unlock();
        return performance.now() - released;
      };
      await taken();
      await cluster.nodes[0]!.cli('client', 'kill', 'type', 'pubsub');
      await eventually(async () => expect(await taken()).toBeLessThan(400));
    } finally {
      await Promise.all([ours, theirs].map((factory) => factory.close(500).catch(() => undefined)));
      await cluster.stop();
    }
  });

  it('hear a master again that could not be reached when its second connection was lost', async () => {
    await using cluster = await startCluster(3, { args: ['--rename-command', 'HELLO', ''] });
    const { proxies, client } = await behindProxies(cluster);
    const [ours, theirs] = [1, 2].map(() => lock.open({ provider: 'redis', client, ...PATIENT })) as [
      lock.LockFactory,
      lock.LockFactory,
    ];
    const [key] = keysOfEach() as [string];
    const [node, proxy] = [cluster.nodes[0]!, proxies[0]!];
    try {
      await eventually(() => isToldAtOnce(ours, theirs, key), 10_000);
      // Nobody takes connections there.
      proxy.lead(1);
      await node.cli('client', 'kill', 'type', 'pubsub');
      await handOver(ours, theirs, key);
      proxy.lead(node.port);
      await eventually(() => isToldAtOnce(ours, theirs, key), 10_000);
    } finally {
      await Promise.all([ours, theirs].map((factory) => factory.close(500).catch(() => undefined)));
      await Promise.all(proxies.map((one) => one.close()));
    }
  });
});
