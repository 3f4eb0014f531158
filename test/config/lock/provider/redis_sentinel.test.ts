import { createServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { Visits } from '../../../support/hand_over.js';
import { describeWithOwnRedis, startRedis, startSentinel, uniquePrefix } from '../../../support/redis_server.js';
import type { RedisSentinels, RedisServer } from '../../../support/redis_server.js';
import { eventually } from '../../../support/time.js';

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
      return lock.open({ provider: 'redis', client, prefix, commandTimeout: '30s' });
    }) as [lock.LockFactory, lock.LockFactory];
  });
  afterEach(async () => {
    await Promise.all([ours, theirs].map((factory) => factory.close(500).catch(() => undefined)));
    await group.stop();
  });

  it('a fail-over with waiters queued: all are served, one at a time, and fences keep growing', async () => {
    const turns = new Visits('k', '3s', '40s');
    const held = await ours.new('k', '3s').lock();
    turns.fences.push(held.fence!);
    const visits = [ours, theirs, ours, theirs, theirs].map((factory) => turns.visit(factory));
    await sleep(200);
    await group.master.kill();
    await Promise.all(visits);
    turns.expectInOrder(6);
    expect(await group.replica.cli('role')).toContain('master');
  });

  /** Those that there are, behind one on that port, which is asked first. */
  const behind = (port: number): { host: string; port: number }[] =>
    [{ host: '127.0.0.1', port }, ...group.sentinels].map((one) => ({ host: one.host, port: one.port }));

  it('a Sentinel that is asked first and says nothing is passed over within the limit of a command', async () => {
    const silent = createServer((socket) => socket.resume().on('error', () => undefined));
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as AddressInfo;
    const client = new Redis({ sentinels: behind(port), name: group.name, lazyConnect: true });
    const locks = lock.open({ provider: 'redis', client, commandTimeout: '5s' });
    await (await locks.new('k', '10s').lock()).unlock();
    await locks.close();
    await new Promise((resolve) => silent.close(resolve));
  });

  it('a Sentinel that names a server which is no master is not believed', async () => {
    // It has not heard of the change, and its server hears of nothing any more.
    await group.replica.cli('replicaof', '127.0.0.1', '1');
    const named = `*2\r\n$9\r\n127.0.0.1\r\n$${String(group.replica.port).length}\r\n${group.replica.port}\r\n`;
    const stale = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (asked) => {
        for (const command of String(asked).split(/(?=\*\d)/)) {
          const hello = '%1\r\n$5\r\nproto\r\n:3\r\n';
          socket.write(command.includes('hello') ? hello : command.includes('get-master-addr') ? named : '+OK\r\n');
        }
      });
    });
    await new Promise<void>((resolve) => stale.listen(0, '127.0.0.1', resolve));
    const { port } = stale.address() as AddressInfo;
    const client = new Redis({ sentinels: behind(port), name: group.name, lazyConnect: true, updateSentinels: false });
    const locks = lock.open({ provider: 'redis', client });
    for (let round = 0; round < 4; round += 1) {
      const held = await locks.new('k', '60s').lock();
      await group.master.cli('client', 'kill', 'type', 'normal');
      await group.replica.cli('client', 'kill', 'type', 'normal');
      await sleep(50);
      expect(await held.ttlLeft()).toBeGreaterThan(50_000);
      await held.unlock();
    }
    await locks.close();
    await new Promise((resolve) => {
      stale.close(resolve);
      stale.unref();
    });
  });

  it('Sentinels that do not know the master, are none, or are not there are told as that, with their address', async () => {
    const cases = [
      [group.sentinels[0]!, 'other', /No such master.*; name it as they do/],
      [group.master, 'any', /unknown command.*; that is a Redis and no Sentinel/],
      [{ host: '127.0.0.1', port: 1 }, 'any', /: Connection is closed\.\)?$/],
    ] as const;
    for (const [{ host, port }, name, why] of cases) {
      const client = new Redis({ sentinels: [{ host, port }], name, lazyConnect: true });
      await using locks = lock.open({ provider: 'redis', client, commandTimeout: '1s' });
      const trying = locks.new('k', '10s').tryLock();
      const failed = await trying.catch((error: Error) => error.message);
      expect(failed).toContain(`no Sentinel (${host}:${port}) names a master "${name}"`);
      expect(failed).toMatch(why);
    }
  });

  it('a master that is demoted while it is connected is left for the new one', async () => {
    const held = await ours.new('k', '60s').lock();
    const waiting = theirs.new('k', '60s').lock({ wait: '40s' });
    await sleep(200);
    await group.sentinels[0]!.cli('sentinel', 'failover', group.name);
    await held.refresh();
    await held.unlock();
    await (await waiting).unlock();
    await (await ours.new('other', '60s').lock()).unlock();
  });
});

describeWithOwnRedis('a server that takes no writes', () => {
  let server: RedisServer;
  let locks: lock.LockFactory;

  const open = (commandTimeout: string): lock.LockFactory => {
    const client = new Redis({ host: server.host, port: server.port, lazyConnect: true });
    return lock.open({ provider: 'redis', client, commandTimeout });
  };

  beforeEach(async () => {
    server = await startRedis();
    locks = open('20s');
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

  it('is not noticed by those who stand in line, either', async () => {
    const held = await locks.new('k', '60s').lock();
    const theirs = open('20s');
    const waiting = theirs.new('k', '60s').lock();
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('1'));
    await server.cli('replicaof', '127.0.0.1', '1');
    // It asks again within a second and a quarter: by then there is a master again, or it is refused.
    await Promise.race([waiting, sleep(1_300)]);
    await server.cli('replicaof', 'no', 'one');
    await held.unlock();
    await (await waiting).unlock();
    await theirs.close();
  });

  it('is told as unreachable with what it said, when it stays so', async () => {
    await using impatient = open('600ms');
    await server.cli('replicaof', '127.0.0.1', '1');
    await expect(impatient.new('k', '60s').tryLock()).rejects.toThrow(/no answer within .*READONLY/);
    await expect(impatient.new('k', '60s').tryLock()).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
  });
});

describeWithOwnRedis('a master and its replica that change places', () => {
  const factories: lock.LockFactory[] = [];
  const locksOn = ({ host, port }: RedisServer): lock.LockFactory => {
    const client = new Redis({ host, port, lazyConnect: true });
    factories.push(lock.open({ provider: 'redis', client, commandTimeout: '5s' }));
    return factories.at(-1)!;
  };
  afterEach(async () => {
    await Promise.all(factories.splice(0).map((factory) => factory.close(100).catch(() => undefined)));
  });

  it('who still hears the old master, which passes on what the new one tells, is not granted what another has', async () => {
    const args = ['--repl-diskless-sync-delay', '0'];
    await using old = await startRedis({ args });
    await using fresh = await startRedis({ args: [...args, '--replicaof', old.host, String(old.port)] });
    const inStep = (server: RedisServer): Promise<void> =>
      eventually(async () => expect(await server.cli('info', 'replication')).toContain('master_link_status:up'));
    await inStep(fresh);
    // One holder on both servers: it brings its own token.
    const one = { token: 'one' };
    await locksOn(old).new('k', '60s', one).lock();
    const late = locksOn(old).new('k', '60s');
    void late.lock().catch(() => undefined);
    await eventually(async () => expect(await fresh.cli('llen', 'k:~q')).toBe('1'));
    await fresh.cli('replicaof', 'no', 'one');
    await old.cli('replicaof', fresh.host, String(fresh.port));
    await inStep(old);
    const holder = await locksOn(fresh).new('k', '60s', one).lock();
    const next = locksOn(fresh).new('k', '60s');
    const served = next.lock();
    await eventually(async () => expect(await fresh.cli('llen', 'k:~q')).toBe('2'));
    await holder.unlock();
    await served;
    await sleep(100);
    expect([next.held, late.held]).toEqual([true, false]);
    await next.unlock();
  });
});
