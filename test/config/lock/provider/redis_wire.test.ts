import { tracingChannel } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { sharedRedis, uniquePrefix } from '../../../support/redis_server.js';
import { scriptsSent } from '../../../support/command_count.js';
import { eventually, stall, undisturbed } from '../../../support/time.js';

/** What a Go service does, after the scripts of mcube v2's ioc/config/lock: compare, then act, in one step. */
class GoClient {
  constructor(
    private readonly redis: Redis,
    private readonly token = 'GoGoGoGoGoGoGoGoGoGoGA',
  ) {}

  async obtain(key: string, ms: number, metadata = ''): Promise<boolean> {
    return (await this.redis.set(key, this.token + metadata, 'PX', ms, 'NX')) === 'OK';
  }

  async release(key: string, metadata = ''): Promise<boolean> {
    const text = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`;
    return (await this.redis.eval(text, 1, key, this.token + metadata)) === 1;
  }
}

describe('what is on Redis', () => {
  const prefix = uniquePrefix();
  let redis: Redis;
  let locks: lock.LockFactory;

  beforeAll(() => {
    redis = new Redis({ ...sharedRedis(), lazyConnect: true });
    locks = lock.open({ provider: 'redis', client: redis, prefix });
  });
  afterAll(async () => {
    await locks.close();
    await redis.quit();
  });

  /** Takes a key and gives it back. */
  const visit = async (key: string, of = locks): Promise<void> => (await of.new(key, '60s').lock()).unlock();

  it('is one string at exactly prefix + key: the token, then the metadata, with the ttl in milliseconds', async () => {
    const held = await locks.new('order:42', '10s', { metadata: '{"host":"a"}' }).lock();
    expect(await redis.type(`${prefix}order:42`)).toBe('string');
    expect(await redis.get(`${prefix}order:42`)).toBe(`${held.token}{"host":"a"}`);
    const pttl = await redis.pttl(`${prefix}order:42`);
    expect(pttl).toBeGreaterThan(9_000);
    expect(pttl).toBeLessThanOrEqual(10_000);
    await held.unlock();
    expect(await redis.exists(`${prefix}order:42`)).toBe(0);
  });

  it('has no prefix unless one is configured', async () => {
    await using bare = lock.open({ provider: 'redis', client: redis });
    const key = `${prefix}bare`;
    await using held = await bare.new(key, '10s').lock();
    expect(await redis.get(key)).toBe(held.token);
  });

  it('keeps keys, tokens and metadata of any characters byte for byte', async () => {
    for (const text of ['a|b\n\r\0c', '{tag}}{', '中文 🔒', '__proto__', 'a'.repeat(60_000)]) {
      const held = await locks.new(text, '10s', { token: `t${text.slice(0, 99)}`, metadata: text }).lock();
      expect(await redis.get(prefix + text)).toBe(`t${text.slice(0, 99)}${text}`);
      await held.unlock();
      expect(await redis.exists(prefix + text)).toBe(0);
    }
  });

  it('is respected by a Go service, and the other way round', async () => {
    const go = new GoClient(redis);
    const key = `${prefix}shared`;
    const held = await locks.new('shared', '10s').lock();
    expect(await go.obtain(key, 10_000)).toBe(false);
    expect(await go.release(key)).toBe(false);
    await held.unlock();
    expect(await go.obtain(key, 10_000, 'meta')).toBe(true);
    await expect(locks.new('shared', '10s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
    const waiting = locks.new('shared', '10s').lock({ wait: '20s' });
    expect(await go.release(key, 'meta')).toBe(true);
    await (await waiting).unlock();
  });

  it('waits for the expiry of a Go service that never releases', async () => {
    await new GoClient(redis).obtain(`${prefix}crashed`, 150);
    await (await locks.new('crashed', '60s').lock({ wait: '20s' })).unlock();
  });

  it('waits for a key that never expires until somebody deletes it', async () => {
    await redis.set(`${prefix}forever`, 'set by hand');
    await undisturbed(20, () =>
      expect(locks.new('forever', '1s').lock({ wait: '60ms' })).rejects.toBeInstanceOf(lock.NotObtainedError),
    );
    const waiting = locks.new('forever', '60s').lock({ wait: '20s' });
    await redis.del(`${prefix}forever`);
    await (await waiting).unlock();
  });

  it('is never taken from another holder by a token that only begins like his', async () => {
    const go = new GoClient(redis, 'abcdef');
    await go.obtain(`${prefix}begin`, 10_000);
    await expect(locks.new('begin', '1s', { token: 'abc' }).tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
    expect(await redis.get(`${prefix}begin`)).toBe('abcdef');
  });

  it('a hold that an operator deleted is found out by refresh: taken', async () => {
    const held = await locks.new('deleted', '10s').lock();
    const { signal } = held;
    await redis.del(`${prefix}deleted`);
    expect(await held.ttlLeft()).toBe(0);
    await expect(held.refresh()).rejects.toBeInstanceOf(lock.LockNotHeldError);
    expect(held.held).toBe(false);
    expect(signal.reason).toMatchObject({ reason: 'taken' });
  });

  it('a hold that an operator deleted is found out by ttlLeft and by unlock, too: the signal tells it', async () => {
    for (const find of ['ttlLeft', 'unlock'] as const) {
      const held = await locks.new('deleted', '10s').lock();
      const { signal } = held;
      await redis.del(`${prefix}deleted`);
      await held[find]().catch((error: unknown) => expect(error).toBeInstanceOf(lock.LockNotHeldError));
      expect(held.held).toBe(false);
      expect(signal.reason).toMatchObject({ reason: 'taken' });
    }
  });

  it('a release that finds its hold gone aborts nothing of the next hold of the same object', async () => {
    const locker = locks.new('again', '10s', { renew: true });
    await locker.lock();
    const { signal } = locker;
    await redis.del(`${prefix}again`);
    const released = locker.unlock().catch((error: unknown) => error);
    await locker.lock();
    expect(await released).toMatchObject({ code: 'ERR_LOCK_NOT_HELD', cause: { reason: 'taken' } });
    expect([locker.held, locker.signal.aborted, signal.aborted]).toEqual([true, false, false]);
    await locker.unlock();
  });

  it('a hold that another took is neither refreshed nor released', async () => {
    const held = await locks.new('stolen', '10s').lock();
    await redis.set(`${prefix}stolen`, 'the thief', 'PX', 10_000);
    await expect(held.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
    expect(await redis.get(`${prefix}stolen`)).toBe('the thief');
    const again = locks.new('stolen', '10s').lock({ wait: '20s' });
    await redis.set(`${prefix}stolen`, 'the thief', 'PX', 100);
    await (await again).unlock();
  });

  it('a renewed hold that was taken aborts its signal: taken', async () => {
    const held = await locks.new('renewed', '3s', { renew: true }).lock();
    const { signal } = held;
    await redis.set(`${prefix}renewed`, 'the thief', 'PX', 10_000);
    await eventually(() => expect(signal.aborted).toBe(true));
    expect(signal.reason).toMatchObject({ reason: 'taken' });
  });

  it('a key of a wrong type is an error that says so, for that key alone', async () => {
    await redis.hset(`${prefix}hash`, 'a', 'b');
    const [wrong, right] = await Promise.allSettled([
      locks.new('hash', '60s').tryLock(),
      locks.new('right', '60s').tryLock(),
    ]);
    expect(wrong).toMatchObject({ reason: { code: 'ERR_LOCK_PROVIDER' } });
    expect((wrong as PromiseRejectedResult).reason.message).toContain('WRONGTYPE');
    await (right as PromiseFulfilledResult<lock.Lock>).value.unlock();
    expect(await redis.hget(`${prefix}hash`, 'a')).toBe('b');
  });

  it('the script is sent again when the server forgot it', async () => {
    for (let round = 0; round < 3; round += 1) {
      await redis.script('FLUSH');
      const held = await locks.new('flushed', '60s').lock();
      await redis.script('FLUSH');
      await held.unlock();
    }
  });

  it("fences are the server's time in microseconds, and go on from the guard when the clock is behind", async () => {
    const key = 'fenced';
    // A guard of its own: others count on theirs behind the clock.
    const guarded = new Redis({ ...sharedRedis(), keyPrefix: uniquePrefix() });
    await using locks = lock.open({ provider: 'redis', client: guarded });
    const before = BigInt(Date.now()) * 1_000n;
    const first = await locks.new(key, '60s').lock();
    const fence = first.fence!;
    expect(fence - before).toBeLessThan(60_000_000n);
    expect(before - fence).toBeLessThan(60_000_000n);
    await first.unlock();
    expect(BigInt((await guarded.get('mlk:fence'))!)).toBeGreaterThanOrEqual(fence);
    const ahead = fence + 10_000_000n;
    for (const call of ['tryLock', 'lock'] as const) {
      await guarded.set('mlk:fence', String(ahead));
      const next = await locks.new(key, '60s')[call]();
      expect(next.fence).toBeGreaterThan(ahead);
      await next.unlock();
    }
    await guarded.quit();
  });

  it('fences grow though the guard is lost each time, whatever part of a second it is', async () => {
    const guarded = new Redis({ ...sharedRedis(), keyPrefix: uniquePrefix() });
    await using locks = lock.open({ provider: 'redis', client: guarded });
    const end = performance.now() + 1_100;
    const one = locks.new('k', '60s');
    for (let last = 0n; performance.now() < end; await sleep(20)) {
      const { fence = 0n } = await one.lock();
      expect(fence).toBeGreaterThan(last);
      expect(Math.abs(Number(fence) / 1_000 - Date.now())).toBeLessThan(60_000);
      last = fence;
      await one.unlock();
      await guarded.del('mlk:fence');
    }
    await guarded.quit();
  });

  it.each([
    ['no number', "somebody's"],
    ['past what a fence can be', '9007199254740991'],
    ['so near to that that a client may read it wrongly', '9007199254740988'],
    ['without an end', 'inf'],
  ])('a guard that is %s stays as it is, and nothing is locked then', async (_, text) => {
    const guarded = new Redis({ ...sharedRedis(), keyPrefix: uniquePrefix() });
    await using locks = lock.open({ provider: 'redis', client: guarded });
    await guarded.set('mlk:fence', text);
    for (const ask of [() => locks.new('k', '60s').tryLock(), () => locks.new('k', '60s', { metadata: 'm' }).lock()]) {
      const refused = ask();
      await expect(refused).rejects.toBeInstanceOf(lock.ProviderError);
      await expect(refused).rejects.toThrow(/the fence guard \S*mlk:fence holds/);
      expect(await guarded.mget('mlk:fence', 'k')).toEqual([text, null]);
    }
    await guarded.quit();
  });

  it('a hold ends though the guard is lost for fences, and who waits is told why it has none', async () => {
    const guarded = new Redis({ ...sharedRedis(), keyPrefix: uniquePrefix() });
    await using ours = lock.open({ provider: 'redis', client: guarded });
    await using theirs = lock.open({ provider: 'redis', client: guarded });
    const held = await ours.new('k', '60s').lock();
    const waiting = theirs.new('k', '60s').lock();
    waiting.catch(() => undefined);
    await eventually(async () => expect(await guarded.exists('k:~q')).toBe(1));
    await guarded.set('mlk:fence', "somebody's");
    await held.unlock();
    expect(await guarded.exists('k')).toBe(0);
    await expect(waiting).rejects.toThrow(/the fence guard \S*mlk:fence holds/);
    await guarded.del('mlk:fence');
    await guarded.quit();
  });

  it('a wait that is given up in the moment it asks sends nothing', async () => {
    const controller = new AbortController();
    using sent = scriptsSent('mlk:fence');
    const waits = ['up 1', 'up 2'].map((key) => locks.new(key, '10s').lock({ signal: controller.signal }));
    controller.abort(new Error('given up'));
    for (const outcome of await Promise.allSettled(waits)) expect(outcome.status).toBe('rejected');
    await sleep(20);
    expect(sent.texts).toEqual([]);
  });

  it('many locks of one moment leave as one command', async () => {
    await (await locks.new('warm', '60s').lock()).unlock();
    using scripts = scriptsSent('many');
    const many = await Promise.all(Array.from({ length: 100 }, (_, n) => locks.new(`many ${n}`, '60s').lock()));
    const taken = scripts.texts.length;
    await Promise.all(many.map((one) => one.unlock()));
    expect([taken, scripts.texts.length]).toEqual([1, 2]);
  });

  it('what is asked on the answers to many leaves in four calls, so that the server works meanwhile', async () => {
    await (await locks.new('warm', '60s').lock()).unlock();
    using scripts = scriptsSent('each');
    await Promise.all(Array.from({ length: 128 }, (_, n) => visit(`each ${n}`)));
    expect(scripts.texts).toHaveLength(1 + 4);
  });

  it('what is asked on the answers to a few leaves in one call, which costs the server less', async () => {
    await (await locks.new('warm', '60s').lock()).unlock();
    using scripts = scriptsSent('few');
    await Promise.all(Array.from({ length: 31 }, (_, n) => visit(`few ${n}`)));
    expect(scripts.texts).toHaveLength(1 + 1);
  });

  it('what is asked on the answers to many leaves in no more calls where enough are on their way', async () => {
    await using small = lock.open({ provider: 'redis', client: redis, prefix, batchCap: 32 });
    await (await small.new('warm', '60s').lock()).unlock();
    using scripts = scriptsSent('enough');
    const all = Array.from({ length: 128 }, (_, n) => visit(`enough ${n}`, small));
    await new Promise<void>((resolve) => process.nextTick(resolve));
    stall(100);
    await Promise.all(all);
    expect(scripts.texts).toHaveLength(4 + 4);
  });

  it.each([
    ['its wait', { wait: '100ms' }, {}],
    ['its signal', {}, {}],
    ['the limit of a command', {}, { commandTimeout: '100ms' }],
  ])(
    'what was answered is told before %s can end it, however long the process is busy meanwhile',
    async (what, wait, open) => {
      await using busy = lock.open({ provider: 'redis', client: redis, prefix, ...open });
      await (await busy.new('warm', '60s').lock()).unlock();
      const asked = Array.from({ length: 64 }, async (_, n) => {
        const signal = what === 'its signal' ? { signal: AbortSignal.timeout(100) } : {};
        const held = await busy.new(`busy ${n}`, '60s').lock({ ...wait, ...signal });
        if (n === 0) stall(200);
        return held;
      });
      await Promise.all((await Promise.all(asked)).map((held) => held.unlock()));
    },
  );

  it('what is asked on answers that come together leaves call by call, so that the server works meanwhile', async () => {
    await (await locks.new('warm', '60s').lock()).unlock();
    using scripts = scriptsSent('call');
    const visits: Promise<void>[] = [];
    for (const call of [1, 2, 3, 4]) {
      visits.push(...[1, 2, 3].map((n) => visit(`call ${call} ${n}`)));
      // It has left then, and no answer was read yet.
      await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    expect(scripts.texts).toHaveLength(4);
    stall(100);
    await Promise.all(visits);
    expect(scripts.texts).toHaveLength(4 + 4);
  });

  it('many locks of one moment leave as so many commands as batchCap asks for', async () => {
    await using small = lock.open({ provider: 'redis', client: redis, prefix, batchCap: 10 });
    await (await small.new('warm', '60s').lock()).unlock();
    using scripts = scriptsSent('many');
    const many = await Promise.all(Array.from({ length: 95 }, (_, n) => small.new(`many ${n}`, '60s').lock()));
    expect(scripts.texts).toHaveLength(10);
    await Promise.all(many.map((one) => one.unlock()));
  });

  it('a command that is full leaves at once, before the turn of the event loop is over', async () => {
    await using small = lock.open({ provider: 'redis', client: redis, prefix, batchCap: 10 });
    await (await small.new('warm', '60s').lock()).unlock();
    using scripts = scriptsSent('full');
    const all = Promise.all(Array.from({ length: 25 }, (_, n) => small.new(`full ${n}`, '60s').lock()));
    const atOnce = scripts.texts.length;
    const held = await all;
    expect([atOnce, scripts.texts.length]).toEqual([2, 3]);
    await Promise.all(held.map((one) => one.unlock()));
  });

  it('locks of one moment have each its own token, metadata and ttl, however long', async () => {
    const wishes = [
      { key: 'plain', ttl: 60_000 },
      { key: 'short', ttl: 20_000 },
      { key: 'token', ttl: 60_000, token: 't' },
      { key: 'metadata', ttl: 60_000, metadata: '中文'.repeat(50) },
      { key: 'last', ttl: 60_000 },
    ];
    const held = await Promise.all(wishes.map(({ key, ttl, ...options }) => locks.new(key, ttl, options).lock()));
    for (const { key, ttl, token, metadata } of held) {
      expect(await redis.get(prefix + key)).toBe(`${token}${metadata}`);
      const left = await redis.pttl(prefix + key);
      expect(left).toBeGreaterThan(ttl - 15_000);
      expect(left).toBeLessThanOrEqual(ttl);
    }
    expect(new Set(held.map(({ fence }) => fence)).size).toBe(held.length);
    await Promise.all(held.map((one) => one.unlock()));
    expect(await redis.exists(wishes.map(({ key }) => prefix + key))).toBe(0);
  });

  it('releases of one moment, of which one hold was taken by another, free the others and nothing of his', async () => {
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map((key) => locks.new(key, '60s').lock()));
    await redis.set(`${prefix}b`, 'the thief', 'PX', 60_000);
    const outcomes = await Promise.allSettled([a, b, c].map((one) => one!.unlock()));
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'ERR_LOCK_NOT_HELD' } });
    expect(await redis.exists(`${prefix}a`, `${prefix}c`)).toBe(0);
    expect(await redis.get(`${prefix}b`)).toBe('the thief');
    await redis.del(`${prefix}b`);
  });

  it('tries of one moment, of which one finds its key taken, have the others', async () => {
    await redis.set(`${prefix}b`, 'another', 'PX', 60_000);
    const tries = ['a', 'b', 'c'].map((key) => locks.new(key, '60s').tryLock());
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'ERR_LOCK_NOT_OBTAINED' } });
    const [a, c] = [await tries[0]!, await tries[2]!];
    expect(await redis.get(`${prefix}c`)).toBe(c.token);
    expect(c.fence).toBeGreaterThan(a.fence!);
    await Promise.all([a.unlock(), c.unlock()]);
    await redis.del(`${prefix}b`);
  });

  it('what is asked before an unlock, in the same moment, is answered as before it', async () => {
    const held = await locks.new('both', '60s').lock();
    const left = held.ttlLeft();
    await held.unlock();
    expect(await left).toBeGreaterThan(0);
  });

  it('a release and the question of the next in line leave as one command', async () => {
    const held = await locks.new('line', '60s').lock();
    const next = locks.new('line', '60s').lock();
    await held.unlock();
    await (await next).unlock();
    expect(await redis.exists(`${prefix}line`)).toBe(0);
  });

  it('each command is seen from its start to its end by those who trace ioredis', async () => {
    const under = new Set<object>();
    let ends = 0;
    const ofOurs = (message: { args: string[] }) => message.args.some((word) => word.endsWith('mlk:fence'));
    const subscribers = {
      start: (message: { args: string[] }) => void (ofOurs(message) && under.add(message)),
      asyncEnd: (message: object) => void (under.delete(message) && (ends += 1)),
    };
    const channel = tracingChannel<string, { args: string[] }>('ioredis:command');
    await (await locks.new('traced', '10s').lock()).unlock();
    channel.subscribe(subscribers as never);
    for (let at = 0; at < 3; at += 1) await (await locks.new('traced', '10s').lock()).unlock();
    await eventually(() => expect([ends, under.size]).toEqual([6, 0]));
    channel.unsubscribe(subscribers as never);
    await (await locks.new('traced', '10s').lock()).unlock();
    expect([ends, under.size]).toEqual([6, 0]);
  });

  it('the client of the application is neither subscribed on nor closed', async () => {
    const app = new Redis({ ...sharedRedis() });
    const factory = lock.open({ provider: 'redis', client: app, prefix });
    await (await factory.new('app', '60s').lock()).unlock();
    await factory.close();
    expect(app.mode).toBe('normal');
    expect(await app.ping()).toBe('PONG');
    await app.quit();
  });

  it('open refuses what it cannot serve', () => {
    expect(() => lock.open({ provider: 'etcd' as never })).toThrow(
      /provider: found "etcd", expected one of "go_cache", "redis"/,
    );
    expect(() => lock.open({ provider: 'redis' } as never)).toThrow(
      /client: found undefined, expected an ioredis client/,
    );
    expect(() => lock.open({ provider: 'redis', client: {} as never })).toThrow(lock.InvalidArgumentError);
    expect(() => lock.open({ provider: 'go_cache', ttl: 5 } as never)).toThrow(/only provider, client/);
    const redisOf = (options: object) => () => lock.open({ provider: 'redis', client: redis, ...options });
    expect(redisOf({ pollMin: '2s', pollMax: '1s' })).toThrow(
      'pollMax: found "1s", expected at least pollMin, 2000 ms',
    );
    expect(redisOf({ pollMin: '300ms' })).toThrow('pollMin: found "300ms", expected at most pollMax, 250 ms');
    for (const batchCap of [0, 1_025, 1.5, -1, NaN, '128']) {
      expect(redisOf({ batchCap })).toThrow(/^batchCap: found .*, expected a whole number from 1 to 1024$/);
    }
    for (const yields of [1, 'true', null])
      expect(redisOf({ yield: yields })).toThrow(/^yield: found .*true or false$/);
    expect(() => lock.open(undefined as never)).toThrow(lock.InvalidArgumentError);
    expect(() => locks.new('k', 5)).toThrow(/ttl: found 5, expected whole milliseconds from 10/);
  });
});
