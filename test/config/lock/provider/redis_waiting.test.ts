import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { Wait } from '../../../../src/config/lock/provider/redis/wait.js';
import {
  sharedRedis,
  startRedis,
  describeWithOwnRedis,
  uniquePrefix,
  type RedisServer,
} from '../../../support/redis_server.js';
import { eventually } from '../../../support/time.js';

const GO_TOKEN = 'GoGoGoGoGoGoGoGoGoGoGA';

describe('waiting on Redis', () => {
  const prefix = uniquePrefix();
  let redis: Redis;
  let ours: lock.LockFactory;
  let theirs: lock.LockFactory;

  beforeAll(() => {
    redis = new Redis({ ...sharedRedis() });
    ours = lock.open({ provider: 'redis', client: redis, prefix });
    theirs = lock.open({ provider: 'redis', client: redis, prefix });
  });
  afterAll(async () => {
    await Promise.all([ours.close(), theirs.close()]);
    await redis.quit();
  });
  const line = (key: string): Promise<number> => redis.llen(`${prefix}${key}:~q`);
  const took = async (wait: Promise<unknown>): Promise<number> => {
    const started = performance.now();
    await wait;
    return performance.now() - started;
  };

  it('is one entry for each process, however many of it wait, and none afterwards', async () => {
    const held = await theirs.new('line', '60s').lock();
    const waits = Array.from({ length: 20 }, () => ours.new('line', '60s').lock());
    await eventually(async () => expect(await line('line')).toBe(1));
    await held.unlock();
    for (const wait of waits) await (await wait).unlock();
    expect(await redis.exists(`${prefix}line`, `${prefix}line:~q`)).toBe(0);
  });

  it('a release hands the key on to the process that has waited longest, at once', async () => {
    const third = lock.open({ provider: 'redis', client: redis, prefix });
    const held = await ours.new('order', '60s').lock();
    const served: string[] = [];
    const stand = async (name: string, factory: lock.LockFactory): Promise<void> => {
      await using one = await factory.new('order', '60s').lock();
      served.push(`${name} ${one.held}`);
    };
    const first = stand('theirs', theirs);
    await eventually(async () => expect(await line('order')).toBe(1));
    const second = stand('third', third);
    await eventually(async () => expect(await line('order')).toBe(2));
    await held.unlock();
    // Handed on in the release itself: never free in between, not even for one that tries at once.
    await expect(ours.new('order', '1s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
    expect(await took(Promise.all([first, second]))).toBeLessThan(900);
    expect(served).toEqual(['theirs true', 'third true']);
    await third.close();
  });

  it('a hundred waiters of one process cost a handful of commands, and are served in order', async () => {
    const count = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.info('commandstats'))![1]);
    const held = await theirs.new('hundred', '60s').lock();
    const before = await count();
    const served: number[] = [];
    const waits = Array.from({ length: 100 }, async (_, n) => {
      await using one = await ours.new('hundred', '60s').lock();
      served.push(one.held ? n : -1);
    });
    await sleep(300);
    await held.unlock();
    await Promise.all(waits);
    expect(served).toEqual(Array.from({ length: 100 }, (_, n) => n));
    // The first two questions, the kicks of the safety timer, the release, and a visit each 10 ms.
    expect((await count()) - before).toBeLessThan(30);
  });

  it('hand-overs inside the process have fences of their own, which grow', async () => {
    const fences: bigint[] = [];
    const held = await ours.new('fences', '60s').lock();
    const waits = Array.from({ length: 600 }, async () => {
      await using one = await ours.new('fences', '60s').lock();
      fences.push(one.fence!);
    });
    await held.unlock();
    await Promise.all(waits);
    fences.slice(1).forEach((fence, at) => expect(fence).toBeGreaterThan(fences[at]!));
    const next = await theirs.new('fences', '60s').lock();
    expect(next.fence).toBeGreaterThan(fences.at(-1)!);
    await next.unlock();
  });

  it("a token of one's own and metadata are right on the wire after a hand-over inside the process", async () => {
    const held = await ours.new('wire', '60s').lock();
    const own = ours.new('wire', '60s', { token: 'mine', metadata: '|a|b' }).lock();
    const plain = ours.new('wire', '60s').lock();
    await held.unlock();
    await own;
    expect(await redis.get(`${prefix}wire`)).toBe('mine|a|b');
    await (await own).unlock();
    expect(await redis.get(`${prefix}wire`)).toBe((await plain).token);
    await (await plain).unlock();
  });

  it('a hold is not handed on inside the process under a ttl that is not its own', async () => {
    const held = await ours.new('ttls', '60s').lock();
    const short = ours.new('ttls', '1s').lock();
    await held.unlock();
    expect((await short).remaining()).toBeLessThanOrEqual(1_000);
    expect(await redis.pttl(`${prefix}ttls`)).toBeLessThanOrEqual(1_000);
    await (await short).unlock();
  });

  it('others wait for a process that hands on inside no longer than some milliseconds', async () => {
    let stop = false;
    let rounds = 0;
    const busy = Array.from({ length: 8 }, async () => {
      while (!stop) {
        await using one = await ours.new('busy', '60s').lock();
        rounds += one.held ? 1 : 0;
        await sleep(1);
      }
    });
    // Long enough for the blocks of fences to grow, were the time not what ends a round.
    await sleep(700);
    const waits: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const started = performance.now();
      await using one = await theirs.new('busy', '60s').lock();
      waits.push(performance.now() - started);
      expect(one.held).toBe(true);
    }
    stop = true;
    await Promise.all(busy);
    expect(rounds).toBeGreaterThan(20);
    // A round of 10 ms and a section; without asking the line, all 256 fences of a visit.
    expect(waits.sort((a, b) => a - b)[2]).toBeLessThan(150);
  });

  it('a visit takes about as many fences as the hand-overs after it use, so that the guard stays behind the clock', async () => {
    const blockOf = async (): Promise<number> => {
      const held = await theirs.new('block', '60s').lock();
      const waiting = ours.new('block', '60s').lock();
      await eventually(async () => expect(await line('block')).toBe(1));
      const [, , , block] = (await redis.lindex(`${prefix}block:~q`, 0))!.split('|');
      await held.unlock();
      await (await waiting).unlock();
      return Number(block);
    };
    const crowd = Array.from({ length: 32 }, async () => {
      for (let round = 0; round < 100; round += 1) await (await ours.new('crowd', '60s').lock()).unlock();
    });
    await Promise.all(crowd);
    const crowded = await blockOf();
    expect(crowded).toBeGreaterThanOrEqual(64);
    let last = crowded;
    for (let visits = 0; visits < 20 && last > 8; visits += 1) last = await blockOf();
    expect(last).toBe(8);
    const [seconds, micros] = await redis.time();
    expect(Number(await redis.get('mlk:fence'))).toBeLessThan(Number(seconds) * 1e6 + Number(micros));
  });

  it('a wait that is aborted or over leaves the line', async () => {
    const held = await theirs.new('gone', '60s').lock();
    const controller = new AbortController();
    const aborted = ours.new('gone', '60s').lock({ signal: controller.signal });
    await eventually(async () => expect(await line('gone')).toBe(1));
    controller.abort();
    await expect(aborted).rejects.toThrow();
    await eventually(async () => expect(await line('gone')).toBe(0));
    await expect(ours.new('gone', '60s').lock({ wait: '100ms' })).rejects.toBeInstanceOf(lock.NotObtainedError);
    await eventually(async () => expect(await line('gone')).toBe(0));
    await held.unlock();
    expect(await redis.exists(`${prefix}gone`)).toBe(0);
  });

  it('a key that was given to a waiter in the moment it gave up goes on to the next', async () => {
    for (let round = 0; round < 30; round += 1) {
      const held = await theirs.new('race', '60s').lock();
      const controller = new AbortController();
      const gone = ours.new('race', '60s').lock({ signal: controller.signal });
      if (round === 0) await eventually(async () => expect(await line('race')).toBe(1));
      else await sleep(2);
      const unlocked = held.unlock();
      if (round % 3)
        await new Promise<void>((resolve) => (round % 3 === 1 ? setImmediate(resolve) : process.nextTick(resolve)));
      controller.abort();
      await Promise.all([
        unlocked,
        gone.then(
          (one) => one.unlock(),
          () => undefined,
        ),
      ]);
      expect(
        await took(
          theirs
            .new('race', '60s')
            .lock({ wait: '2s' })
            .then((one) => one.unlock()),
        ),
      ).toBeLessThan(900);
    }
  });

  it('the release of a Go service, which tells nobody, is noticed within milliseconds', async () => {
    const waits: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      await redis.set(`${prefix}go`, `${GO_TOKEN}meta`, 'PX', 60_000);
      const wait = ours.new('go', '60s').lock();
      await sleep(150);
      const released = performance.now();
      await redis.del(`${prefix}go`);
      await (await wait).unlock();
      waits.push(performance.now() - released);
    }
    // By polling it would be 50 ms in the middle.
    expect(waits.sort((a, b) => a - b)[2]).toBeLessThan(40);
  });

  it('a Go service that refreshes its hold is waited for', async () => {
    await redis.set(`${prefix}refreshing`, GO_TOKEN, 'PX', 500);
    const wait = ours.new('refreshing', '60s').lock();
    for (let round = 0; round < 3; round += 1) {
      await sleep(200);
      await redis.pexpire(`${prefix}refreshing`, 500);
    }
    expect(await redis.get(`${prefix}refreshing`)).toBe(GO_TOKEN);
    await (await wait).unlock();
  });

  it('another list or lock under the name of the line does no harm', async () => {
    await redis.set(`${prefix}odd:~q`, 'somebody else');
    const held = await ours.new('odd', '60s').lock();
    await held.unlock();
    await redis.del(`${prefix}odd:~q`);
    await redis.rpush(`${prefix}odd:~q`, 'no entry', '|||', 'mlk:nobody|1|1000|1|value');
    const again = await ours.new('odd', '60s').lock();
    await again.unlock();
    expect(await redis.exists(`${prefix}odd`, `${prefix}odd:~q`)).toBe(0);
  });

  it('a message from a stranger grants nothing that was not given', async () => {
    const held = await theirs.new('forged', '60s').lock();
    const wait = ours.new('forged', '60s');
    const waiting = wait.lock();
    await eventually(async () => expect(await line('forged')).toBe(1));
    const [channel, wid] = (await redis.lindex(`${prefix}forged:~q`, 0))!.split('|');
    for (const text of ['', 'x', '1|2', `${wid}|x|1`, `999|1|1`, '__proto__|1|1']) await redis.publish(channel!, text);
    await sleep(30);
    expect(wait.held).toBe(false);
    await held.unlock();
    await (await waiting).unlock();
  });
});

describe('the validity of a lease that was handed over', () => {
  const ask = { key: 'k', ttl: 1_000, value: 'v', until: 0, plain: true, memo: undefined };
  const host = { replied: () => undefined };

  it('is counted from when it was given at the earliest, not from when the message arrived', () => {
    const wait = new Wait(ask, undefined, host);
    wait.sample = { sent: 100, server: 50_000 };
    // Given 40 ms of the server's time after our question, read much later: we were stopped.
    expect(wait.earliest(50_040, 5_000)).toBe(140);
  });

  it("is never later than the arrival, whatever the server's clock did", () => {
    const wait = new Wait(ask, undefined, host);
    wait.sample = { sent: 100, server: 50_000 };
    expect(wait.earliest(90_000, 150)).toBe(150);
  });

  it('is unknown without a question before it', () => {
    expect(new Wait(ask, undefined, host).earliest(50_000, 100)).toBeUndefined();
  });
});

describeWithOwnRedis('waiting when something breaks', () => {
  let server: RedisServer;
  let redis: Redis;
  let ours: lock.LockFactory;
  let theirs: lock.LockFactory;

  beforeEach(async () => {
    server = await startRedis();
    redis = new Redis({ host: server.host, port: server.port, lazyConnect: true });
    ours = lock.open({ provider: 'redis', client: redis, commandTimeout: '2s' });
    theirs = lock.open({ provider: 'redis', client: redis, commandTimeout: '2s' });
  });
  afterEach(async () => {
    await Promise.allSettled([ours.close(200), theirs.close(200)]);
    redis.disconnect();
    await server.stop();
  });

  it('a lost message costs a second at most: the waiter asks for itself', async () => {
    const held = await theirs.new('k', '60s').lock();
    const wait = ours.new('k', '60s').lock();
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('1'));
    // What the release script does, but for telling.
    const entry = await server.cli('lpop', 'k:~q');
    await server.cli('set', 'k', entry.split('|').slice(4).join('|'), 'px', '60000');
    const started = performance.now();
    expect((await wait).held).toBe(true);
    expect(performance.now() - started).toBeLessThan(1_500);
    await expect(held.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
  });

  it('a line that was lost is stood in again', async () => {
    const held = await theirs.new('k', '60s').lock();
    const wait = ours.new('k', '60s').lock();
    await eventually(async () => expect(await server.cli('del', 'k:~q')).toBe('1'));
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('1'));
    await held.unlock();
    await (await wait).unlock();
  });

  it('a cut connection of a waiter is healed, and it is served', async () => {
    const held = await theirs.new('k', '60s').lock();
    const wait = ours.new('k', '60s').lock();
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('1'));
    await server.cli('client', 'kill', 'type', 'pubsub');
    await sleep(20);
    const started = performance.now();
    await held.unlock();
    await (await wait).unlock();
    expect(performance.now() - started).toBeLessThan(1_500);
  });

  it('the entry of a process that is gone costs no time: the next in line has the key in the same step', async () => {
    const held = await theirs.new('k', '60s').lock();
    await server.cli('rpush', 'k:~q', 'mlk:gone|1|60000|1|value of the dead');
    const third = lock.open({ provider: 'redis', client: redis });
    const wait = third.new('k', '60s').lock();
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('2'));
    const started = performance.now();
    await held.unlock();
    await (await wait).unlock();
    expect(performance.now() - started).toBeLessThan(500);
    await third.close();
  });

  it('when a holder dies, the longest waiting is served soon after its ttl', async () => {
    await server.cli('set', 'k', 'a dead holder of ours, longer than a token', 'px', '300');
    const started = performance.now();
    const wait = ours.new('k', '60s').lock();
    await (await wait).unlock();
    expect(performance.now() - started).toBeLessThan(700);
  });

  it('waiters outlive a restart of the server that lost everything', async () => {
    await theirs.new('k', '60s').lock();
    const wait = ours.new('k', '60s').lock();
    await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('1'));
    await server.kill();
    await sleep(100);
    await server.start();
    expect((await wait).held).toBe(true);
  });

  it('what a waiter leaves in line lasts two minutes at most', async () => {
    await theirs.new('k', '60s').lock();
    void ours
      .new('k', '60s')
      .lock()
      .catch(() => undefined);
    await eventually(async () => expect(Number(await server.cli('pttl', 'k:~q'))).toBeGreaterThan(0));
    expect(Number(await server.cli('pttl', 'k:~q'))).toBeLessThanOrEqual(120_000);
  });
});
