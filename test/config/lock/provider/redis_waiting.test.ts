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
import { scriptsSent } from '../../../support/command_count.js';
import { Parts } from '../../../support/garbage.js';
import { eventually, undisturbed } from '../../../support/time.js';

const GO_TOKEN = 'GoGoGoGoGoGoGoGoGoGoGA';

/** Milliseconds until it is settled. */
async function took(wait: Promise<unknown>): Promise<number> {
  const started = performance.now();
  await wait;
  return performance.now() - started;
}

describe('waiting on Redis', () => {
  const prefix = '';
  let redis: Redis;
  let ours: lock.LockFactory;
  let theirs: lock.LockFactory;

  beforeAll(() => {
    // A guard of our own: another test sets its own far ahead.
    redis = new Redis({ ...sharedRedis(), keyPrefix: uniquePrefix() });
    ours = lock.open({ provider: 'redis', client: redis, prefix });
    theirs = lock.open({ provider: 'redis', client: redis, prefix });
  });
  afterAll(async () => {
    await Promise.all([ours.close(), theirs.close()]);
    await redis.quit();
  });
  /** Many of our process take one key, over and over. */
  const crowd = async (rounds: number): Promise<void> => {
    const one = async (): Promise<void> => {
      for (let round = 0; round < rounds; round += 1) await (await ours.new('crowd', '60s').lock()).unlock();
    };
    await Promise.all(Array.from({ length: 32 }, one));
  };
  const line = (key: string): Promise<number> => redis.llen(`${prefix}${key}:~q`);
  /** Where a process hears that it was given a key: it stands in line for one. */
  const channelOf = async (factory: lock.LockFactory): Promise<string> => {
    const held = await (factory === ours ? theirs : ours).new('channel', '60s').lock();
    const waiting = factory.new('channel', '60s').lock();
    await eventually(async () => expect(await line('channel')).toBe(1));
    const [channel] = (await redis.lindex(`${prefix}channel:~q`, 0))!.split('|');
    await held.unlock();
    await (await waiting).unlock();
    return channel!;
  };
  /** All that is said on these channels from now on, with the channel in front. */
  const listenTo = async (...channels: string[]): Promise<{ told: [string, string][]; ear: Redis }> => {
    const ear = new Redis({ ...sharedRedis(), lazyConnect: true });
    const told: [string, string][] = [];
    ear.on('message', (channel: string, text: string) => told.push([channel, text]));
    await ear.subscribe(...channels);
    return { told, ear };
  };
  /** In microseconds, as fences are counted. */
  const serverTime = async (): Promise<number> => {
    const [seconds, micros] = await redis.time();
    return Number(seconds) * 1e6 + Number(micros);
  };

  it('is one entry for each process, however many of it wait, and none afterwards', async () => {
    const held = await theirs.new('line', '60s').lock();
    const waits = Array.from({ length: 20 }, () => ours.new('line', '60s').lock());
    await eventually(async () => expect(await line('line')).toBe(1));
    await held.unlock();
    for (const wait of waits) await (await wait).unlock();
    expect(await redis.exists(`${prefix}line`, `${prefix}line:~q`)).toBe(0);
  });

  it('a key that another took is not handed on by who had it', async () => {
    const held = await ours.new('stolen', '60s').lock();
    const waiting = theirs.new('stolen', '60s').lock();
    await eventually(async () => expect(await line('stolen')).toBe(1));
    await redis.set('stolen', 'the thief', 'PX', 60_000);
    await expect(held.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
    expect(await redis.get('stolen')).toBe('the thief');
    expect(await line('stolen')).toBe(1);
    await redis.del('stolen');
    await (await waiting).unlock();
  });

  it('fences grow from hand-over to hand-over, whatever part of a second it is', async () => {
    const fences: bigint[] = [];
    const { told, ear } = await listenTo(await channelOf(ours), await channelOf(theirs));
    const end = performance.now() + 1_100;
    const loop = async (factory: lock.LockFactory): Promise<void> => {
      for (const one = factory.new('to and fro', '60s'); performance.now() < end; await one.unlock())
        fences.push((await one.lock()).fence!);
    };
    await Promise.all([loop(ours), loop(theirs)]);
    const now = await serverTime();
    await ear.quit();
    expect(fences.length).toBeGreaterThan(100);
    for (const [at, fence] of fences.entries()) expect(fence).toBeGreaterThan(fences[at - 1] ?? 0n);
    const grants = told.filter(([, text]) => text !== '').map(([, text]) => text.split('|').slice(1).map(Number));
    expect(grants.length).toBeGreaterThan(100);
    for (const [fence, time] of grants as [number, number][]) {
      expect(Math.abs(now - time)).toBeLessThan(60e6);
      expect(Math.abs(fence)).toBeGreaterThanOrEqual(time);
    }
  });

  it("something is said to the releaser's connection before the next holder is told, for Redis writes to the last one first", async () => {
    const [nextHolder, releaser] = [await channelOf(ours), await channelOf(theirs)];
    const held = await theirs.new('order', '60s').lock();
    const waiting = ours.new('order', '60s').lock();
    await eventually(async () => expect(await line('order')).toBe(1));
    const { told, ear } = await listenTo(releaser, nextHolder);
    await held.unlock();
    await eventually(() => expect(told).toHaveLength(2));
    expect(told).toEqual([
      [releaser, ''],
      [nextHolder, expect.stringMatching(/^[\w-]{12}\|\d+\|\d+$/)],
    ]);
    await (await waiting).unlock();
    await ear.quit();
  });

  it('releases of one moment free their keys, but for the one that another process waits for: it has that at once', async () => {
    const held = await Promise.all(['a', 'waited for', 'b'].map((key) => ours.new(key, '60s').lock()));
    const waiting = theirs.new('waited for', '60s').lock();
    await eventually(async () => expect(await line('waited for')).toBe(1));
    await Promise.all(held.map((one) => one.unlock()));
    const given = await redis.get('waited for');
    const next = await waiting;
    expect(given).toBe(next.token);
    expect(await redis.exists('a', 'b')).toBe(0);
    expect(next.fence).toBeGreaterThan(held[1]!.fence ?? 0n);
    await next.unlock();
  });

  it('a release hands the key on to the process that has waited longest, at once', async () => {
    await using third = lock.open({ provider: 'redis', client: redis, prefix });
    await undisturbed(100, async () => {
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
      const early = expect(ours.new('order', '1s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
      const ms = await took(Promise.all([first, second]));
      await early;
      expect(served).toEqual(['theirs true', 'third true']);
      expect(ms).toBeLessThan(600);
    });
  });

  it('a hundred waiters of one process cost a handful of commands, and are served in order', async () => {
    const held = await theirs.new('hundred', '60s').lock();
    using scripts = scriptsSent('hundred');
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
    expect(scripts.texts.length).toBeLessThan(50);
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
    const passed: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      const before = rounds;
      await using one = await theirs.new('busy', '60s').lock();
      passed.push(rounds - before);
      expect(one.held).toBe(true);
    }
    stop = true;
    await Promise.all(busy);
    expect(rounds).toBeGreaterThan(20);
    // Sections that were passed on inside meanwhile: some ten in 10 ms; without asking the line, all fences of a visit.
    expect(passed.sort((a, b) => a - b)[2]).toBeLessThan(60);
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
    // So many in the 10 ms of a visit, unless the machine is busy with others.
    const crowded = await eventually(async () => {
      await crowd(100);
      const block = await blockOf();
      expect(block).toBeGreaterThanOrEqual(64);
      return block;
    }, 20_000);
    let last = crowded;
    for (let visits = 0; visits < 20 && last > 8; visits += 1) last = await blockOf();
    expect(last).toBe(8);
    expect(Number(await redis.get('mlk:fence'))).toBeLessThan(await serverTime());
  });

  /** Microseconds by which the guard of the fences is ahead of the clock, after many keys were handed over at one moment. */
  const leadAfterBurst = async (): Promise<number> => {
    const keys = Array.from({ length: 300 }, (_, at) => `burst ${at}`);
    const held = await Promise.all(keys.map((key) => theirs.new(key, '60s').lock()));
    const fences: bigint[] = [];
    const waiting = [...keys, ...keys, ...keys].map(async (key) => {
      await using one = await ours.new(key, '60s').lock();
      fences.push(one.fence!);
    });
    await eventually(async () => expect(await redis.exists(keys.map((key) => `${key}:~q`))).toBe(keys.length));
    await Promise.all(held.map((one) => one.unlock()));
    const lead = Number(await redis.get('mlk:fence')) - (await serverTime());
    await Promise.all(waiting);
    expect(new Set(fences).size).toBe(3 * keys.length);
    return lead;
  };
  it('many keys that are handed over at one moment take no more fences than microseconds pass, and none twice', async () => {
    await crowd(200);
    // 10 ms, and the block of the one that was given when it was not so far ahead.
    expect(await leadAfterBurst()).toBeLessThan(10_000 + 4_096);
  });

  it('the guard of the fences comes nearer to a clock that was set back, whatever is taken meanwhile', async () => {
    await crowd(200);
    const setBack = 5_000_000;
    await redis.set('mlk:fence', (await serverTime()) + setBack);
    expect(await leadAfterBurst()).toBeLessThan(setBack);
    await redis.del('mlk:fence');
  });

  it('a wait that is aborted or over leaves the line', async () => {
    const held = await theirs.new('gone', '60s').lock();
    const controller = new AbortController();
    const aborted = ours.new('gone', '60s').lock({ signal: controller.signal });
    await eventually(async () => expect(await line('gone')).toBe(1));
    controller.abort();
    await expect(aborted).rejects.toThrow();
    await eventually(async () => expect(await line('gone')).toBe(0));
    await undisturbed(50, () =>
      expect(ours.new('gone', '60s').lock({ wait: '100ms' })).rejects.toBeInstanceOf(lock.NotObtainedError),
    );
    await eventually(async () => expect(await line('gone')).toBe(0));
    await held.unlock();
    expect(await redis.exists(`${prefix}gone`)).toBe(0);
  });

  it('who stood in line is not kept in memory after that: served, refused, or lost', async () => {
    const kept = new Parts();
    /** What stands in line while another has the key. */
    const behind = async (wait: () => Promise<unknown>): Promise<void> => {
      const held = await theirs.new('kept', '60s').lock();
      const waiting = wait();
      await eventually(async () => expect(await line('kept')).toBe(1));
      await held.unlock();
      await waiting;
    };
    const listening = async (name: string, ttl: number): Promise<lock.Lock> => {
      const one = await ours.new('kept', ttl).lock();
      const part = kept.part(name);
      one.signal.addEventListener('abort', () => part);
      return one;
    };
    await (async () => {
      const [served, own, refused] = ['served', 'own token', 'refused'].map((name) => kept.part(name));
      const held = await theirs.new('kept', '60s').lock();
      const over = ours.run('kept', '60s', () => refused, { wait: 50 });
      await expect(over).rejects.toBeInstanceOf(lock.NotObtainedError);
      await held.unlock();
      await behind(() => ours.run('kept', '60s', () => served));
      await behind(() => ours.run('kept', '60s', () => own, { token: 'a token of our own' }));
      await behind(async () => (await listening('listener', 60_000)).unlock());
      await behind(async () => {
        const losing = await listening('lost', 50);
        await sleep(100);
        expect(losing.held).toBe(false);
      });
    })();
    await kept.collected();
  });

  it('a key that was given to a waiter in the moment it gave up goes on to the next', async () => {
    const giveUp = async (round: number): Promise<void> => {
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
      expect(await took(theirs.run('race', '60s', () => undefined, { wait: '10s' }))).toBeLessThan(900);
    };
    for (let round = 0; round < 30; round += 1) await undisturbed(100, () => giveUp(round));
  });

  it('the release of a Go service, which tells nobody, is noticed within milliseconds', async () => {
    const waits: number[] = [];
    using scripts = scriptsSent('go');
    for (let round = 0; round < 6; round += 1) {
      await redis.set(`${prefix}go`, `${GO_TOKEN}meta`, 'PX', 60_000);
      const wait = ours.new('go', '60s').lock();
      await sleep(350);
      const released = performance.now();
      await redis.del(`${prefix}go`);
      await (await wait).unlock();
      waits.push(performance.now() - released);
    }
    // Who is not told asks after a second, or, as one that polls, each 100 ms: three times more in each round.
    expect(waits.sort((a, b) => a - b)[2]).toBeLessThan(200);
    expect(scripts.texts.length).toBeLessThanOrEqual(6 * 5);
  });

  it('a Go service that refreshes its hold is waited for', async () => {
    // Its ttl is over twice before it is gone, but for the refreshes.
    await redis.set(`${prefix}refreshing`, GO_TOKEN, 'PX', 1_500);
    const wait = ours.new('refreshing', '60s').lock();
    for (let round = 0; round < 3; round += 1) {
      await sleep(600);
      await redis.pexpire(`${prefix}refreshing`, 1_500);
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

  it('entries of a careless client, whose ttl or block is no whole number, are passed over', async () => {
    const careless = redis.duplicate();
    await careless.subscribe('mlk:careless');
    const held = await ours.new('careless', '60s').lock();
    const numbers = ['1500.0', '0', '', '-5', '0x10', '1e3', ' 7', '9'.repeat(30)];
    const entries = numbers.flatMap((bad, n) => [`mlk:careless|${n}|${bad}|1|v`, `mlk:careless|${n}|1000|${bad}|v`]);
    await redis.rpush(`${prefix}careless:~q`, ...entries);
    const wait = theirs.new('careless', '60s').lock();
    await eventually(async () => expect(await line('careless')).toBe(entries.length + 1));
    await held.unlock();
    await (await wait).unlock();
    expect(await redis.exists(`${prefix}careless`, `${prefix}careless:~q`)).toBe(0);
    await careless.quit();
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
  const ask = {
    key: 'k',
    ttl: 1_000,
    longest: 1_000,
    value: 'v',
    until: 0,
    random: true,
    plain: true,
    memo: undefined,
  };
  const host = { replied: () => undefined };

  it('is counted from when it was given at the earliest, not from when the message arrived', () => {
    const wait = new Wait(ask, undefined, host);
    wait.sample = { sent: 100, server: 50_000, generation: 1 };
    // Given 40 ms of the server's time after our question, read much later: we were stopped.
    expect(wait.earliest(50_040, 5_000, 1)).toBe(140);
  });

  it("is never later than the arrival, whatever the server's clock did", () => {
    const wait = new Wait(ask, undefined, host);
    wait.sample = { sent: 100, server: 50_000, generation: 1 };
    expect(wait.earliest(90_000, 150, 1)).toBe(150);
  });

  it('is unknown without a question before it', () => {
    expect(new Wait(ask, undefined, host).earliest(50_000, 100, 1)).toBeUndefined();
  });

  it('is unknown by the clock of another server, which the connection led to when it asked', () => {
    const wait = new Wait(ask, undefined, host);
    wait.sample = { sent: 100, server: 50_000, generation: 1 };
    expect(wait.earliest(50_040, 5_000, 2)).toBeUndefined();
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
    await undisturbed(100, async () => {
      const held = await theirs.new('k', '60s').lock();
      const wait = ours.new('k', '60s').lock();
      await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('1'));
      // What the release script does, but for telling.
      const entry = await server.cli('lpop', 'k:~q');
      await server.cli('set', 'k', entry.split('|').slice(4).join('|'), 'px', '60000');
      const ms = await took(wait);
      await expect(held.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
      // It is held: else this rejects.
      await (await wait).unlock();
      expect(ms).toBeLessThan(1_500);
    });
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
    await undisturbed(100, async () => {
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
  });

  it('the entry of a process that is gone costs no time: the next in line has the key in the same step', async () => {
    await using third = lock.open({ provider: 'redis', client: redis });
    await undisturbed(100, async () => {
      const held = await theirs.new('k', '60s').lock();
      await server.cli('rpush', 'k:~q', 'mlk:gone|1|60000|1|value of the dead');
      const wait = third.new('k', '60s').lock();
      await eventually(async () => expect(await server.cli('llen', 'k:~q')).toBe('2'));
      const started = performance.now();
      await held.unlock();
      await (await wait).unlock();
      expect(performance.now() - started).toBeLessThan(500);
    });
  });

  it('when a holder dies, the longest waiting is served soon after its ttl', async () => {
    await undisturbed(50, async () => {
      await server.cli('set', 'k', 'a dead holder of ours, longer than a token', 'px', '300');
      const started = performance.now();
      const wait = ours.new('k', '60s').lock();
      await (await wait).unlock();
      expect(performance.now() - started).toBeLessThan(700);
    });
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
