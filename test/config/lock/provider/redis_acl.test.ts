import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Cluster, Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { handOver, isToldAtOnce, PATIENT } from '../../../support/hand_over.js';
import { keepsLockPromises } from '../../../support/lock_promises.js';
import { describeWithOwnRedis, startCluster, startRedis, type RedisServer } from '../../../support/redis_server.js';
import { undisturbed } from '../../../support/time.js';

/**
 * The least that a user of locks needs, in the words of an ACL file:
 *
 *     user locks on >secret resetchannels &mlk:* ~app:* ~mlk:fence* -@all +eval +evalsha +get +set +del +pexpire +pttl
 *       +time +lpop +rpush +lrem +lpos +publish +subscribe
 *
 * `app:` is the prefix of the locks. HELLO and AUTH are always allowed. More is needed by ioredis:
 * - +info for the ready check of the application's client and with Sentinel; else `enableReadyCheck: false`, or it prints a line
 * - +select for another database than 0
 * - +cluster|slots on a cluster, and +cluster|info for the ready check of the application's client
 * And by us: +mget +exists to release keys together; +msetnx +pexpireat to take them together; +getset for a fence by one
 * command less; +pubsub|numsub to see who listens without a message more;
 * +client|tracking +client|id &__redis__:invalidate to notice at once when a client that is none of ours releases.
 */
const COMMANDS = 'eval evalsha get set del pexpire pttl time lpop rpush lrem lpos publish subscribe'.split(' ');

/** So many tries are done together. */
const MANY = 16;
const TOGETHER = [['msetnx'], ['pexpireat'], ['msetnx', 'pexpireat']];

const rule = (name: string, without: string[] = [], channels = '&mlk:*'): string => {
  const allowed = COMMANDS.filter((command) => !without.includes(command)).map((command) => `+${command}`);
  return `user ${name} on >secret resetchannels ${channels} ~app:* ~mlk:fence* -@all ${allowed.join(' ')}`;
};

describeWithOwnRedis('a user who may do little', () => {
  let server: RedisServer;
  const factories: lock.LockFactory[] = [];

  const open = (username: string, options = {}): lock.LockFactory => {
    const { host, port } = server;
    const client = new Redis({
      ...{ host, port, username, password: 'secret' },
      ...{ lazyConnect: true, enableReadyCheck: false },
    });
    const factory = lock.open({ provider: 'redis', client, prefix: 'app:', ...options });
    factories.push(factory);
    return factory;
  };

  beforeAll(async () => {
    const users = [
      'user default on nopass ~* &* +@all',
      rule('minimum'),
      `${rule('watching', [], '&mlk:* &__redis__:invalidate')} +client|tracking +client|id`,
      rule('no_channel', [], ''),
      ...COMMANDS.map((command) => rule(`no_${command}`, [command])),
      rule('no_list', ['lpos', 'rpush', 'lrem', 'lpop']),
      ...TOGETHER.map((more) => `${rule(more.join('_'))} ${more.map((command) => `+${command}`).join(' ')}`),
      `${rule('timeless', ['time'])} +msetnx +pexpireat`,
    ];
    server = await startRedis({ acl: users.join('\n') });
  });
  afterAll(async () => {
    await Promise.all(factories.map((factory) => factory.close(500).catch(() => undefined)));
    await server.stop();
  });

  keepsLockPromises('redis, with the documented permissions', () => {
    const [ours, theirs] = [open('minimum'), open('minimum')];
    return Promise.resolve({
      ours,
      theirs,
      close: async () => {
        await Promise.all([ours.close(), theirs.close()]);
      },
    });
  });

  it('is told of a release at once, with the documented permissions, and without a warning', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await isToldAtOnce(open('minimum', PATIENT), open('minimum', PATIENT));
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });

  it.each([
    ['minimum', 200],
    ['watching', 50],
  ])('%s: the release of a client that is none of ours is noticed in %i ms, without a warning', async (user, limit) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const factory = open(user);
    await undisturbed(20, () => expect(medianOfForeignReleases(factory)).resolves.toBeLessThan(limit));
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });

  /** Milliseconds until one of ours has the key, in the middle of five. */
  const medianOfForeignReleases = async (factory: lock.LockFactory): Promise<number | undefined> => {
    const times: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      await server.cli('set', 'app:foreign', 'GoGoGoGoGoGoGoGoGoGoGA', 'PX', '60000', 'NX');
      const waiting = factory.new('foreign', '60s').lock({ wait: '20s' });
      await sleep(100);
      await server.cli('del', 'app:foreign');
      const released = performance.now();
      await (await waiting).unlock();
      times.push(performance.now() - released);
    }
    return times.sort((a, b) => a - b)[2];
  };

  it('on a cluster it needs CLUSTER SLOTS, and nothing more', async () => {
    const user = `${rule('minimum')} +cluster|slots`;
    await using cluster = await startCluster(2, { acl: `user default on nopass ~* &* +@all\n${user}` });
    const [{ host, port }] = cluster.nodes as [RedisServer];
    const [ours, theirs] = [1, 2].map(() => {
      const redisOptions = { username: 'minimum', password: 'secret', enableReadyCheck: false };
      const client = new Cluster([{ host, port }], { lazyConnect: true, redisOptions });
      return lock.open({ provider: 'redis', client, prefix: 'app:', ...PATIENT });
    }) as [lock.LockFactory, lock.LockFactory];
    await isToldAtOnce(ours, theirs);
    await Promise.all([ours.close(), theirs.close()]);
  });

  it.each(['no_channel', 'no_subscribe', 'no_publish', 'no_rpush', 'no_lpos', 'no_list'])(
    '%s: waiters ask again and again, one at a time and in turn, with one warning',
    async (user) => {
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
      const [one, other] = [open(user), open('minimum')];
      const order: number[] = [];
      const times: number[] = [];
      for (let round = 0; round < 2; round += 1) {
        const held = await other.new('polled', '60s').lock();
        const waiting = [1, 2].map(async (place) => {
          const mine = await one.new('polled', '60s').lock({ wait: '20s' });
          await expect(other.new('polled', '1s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
          order.push(place);
          await mine.unlock();
        });
        await sleep(100);
        const released = performance.now();
        await held.unlock();
        await Promise.all(waiting);
        times.push(performance.now() - released);
      }
      // Two pauses of 250 ms and a quarter more at most.
      expect(Math.min(...times)).toBeLessThan(700);
      expect(order).toEqual([1, 2, 1, 2]);
      expect(warned.mock.calls).toEqual([
        [
          expect.stringMatching(/^lock: waiters ask redis again and again, .*(NOPERM|can't run this command)/),
          { type: 'LockWarning', code: 'LOCK_POLLING' },
        ],
      ]);
      warned.mockRestore();
    },
  );

  it.each(['minimum', ...TOGETHER.map((more) => more.join('_'))])(
    '%s: what is taken in one moment has its value and its ttl, each for itself',
    async (user) => {
      const keys = Array.from({ length: MANY }, (_, n) => `${user} ${n}`);
      const factory = open(user);
      const together = await Promise.all(keys.map((key) => factory.new(key, '60s').lock()));
      const values = await server.cli('mget', ...keys.map((key) => `app:${key}`));
      expect(values.split('\n')).toEqual(together.map(({ token }) => token));
      for (const key of [keys[0], keys.at(-1)])
        expect(Number(await server.cli('pttl', `app:${key}`))).toBeGreaterThan(40_000);
      await Promise.all(together.map((one) => one.unlock()));
    },
  );

  it('without time nothing of what is asked for in one moment is taken', async () => {
    const factory = open('timeless');
    const keys = Array.from({ length: MANY }, (_, n) => `timeless ${n}`);
    const outcomes = await Promise.allSettled(keys.map((key) => factory.new(key, '60s').lock()));
    const message: unknown = expect.stringMatching(/NOPERM|can't run this command/);
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'ERR_LOCK_PROVIDER', message } });
    expect(await server.cli('exists', ...keys.map((key) => `app:${key}`))).toBe('0');
  });

  it.each(['no_lpop', 'no_lrem'])('%s: waiters are served when they ask the next time', async (user) => {
    await undisturbed(100, () => expect(handOver(open(user), open(user))).resolves.toBeLessThan(1_500));
  });

  it.each([
    ['evalsha', /NOPERM .*'evalsha'/],
    ['eval', /NOPERM .*'eval'/],
    ['get', /NOPERM|can't run this command/],
    ['set', /NOPERM|can't run this command/],
    ['time', /NOPERM|can't run this command/],
  ])('without %s it is told what is refused', async (command, named) => {
    // So that the text of the script is sent.
    if (command === 'eval') await server.cli('script', 'flush');
    const factory = open(`no_${command}`);
    const error = await factory
      .new('refused', '100ms')
      .lock()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(lock.ProviderError);
    expect(error).not.toBeInstanceOf(lock.ProviderUnreachableError);
    expect((error as Error).message).toMatch(named);
    expect(await server.cli('exists', 'app:refused')).toBe('0');
  });

  it('a key outside of what it may touch is told as refused', async () => {
    const { host, port } = server;
    const client = new Redis({ host, port, username: 'minimum', password: 'secret', lazyConnect: true });
    const print = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    await using factory = lock.open({ provider: 'redis', client, prefix: 'elsewhere:' });
    await expect(factory.new('k', '1s').lock()).rejects.toThrow(/redis refused: NOPERM .*keys/);
    expect(print).not.toHaveBeenCalled();
    print.mockRestore();
  });

  it('a key outside of what it may touch fails alone, whatever leaves with it', async () => {
    const factory = open('minimum', { prefix: '' });
    const held = await factory.new('app:k', '60s').lock();
    const waiting = factory.new('app:k', '60s').lock();
    const outcomes = await Promise.allSettled([
      factory.new('elsewhere', '60s').tryLock(),
      held.unlock(),
      factory.new('app:other', '60s').tryLock(),
      waiting,
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
    expect(outcomes[0]).toMatchObject({ reason: { message: expect.stringMatching(/NOPERM .*keys/) as unknown } });
    await (await waiting).unlock();
  });
});
