import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { scriptsSent } from '../../../support/command_count.js';
import { sharedRedis, uniquePrefix } from '../../../support/redis_server.js';
import { eventually, undisturbed } from '../../../support/time.js';

const RELEASE = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end return 0`;

describe('yield: a key that is always waited for', () => {
  let redis: Redis;
  let prefix: string;
  const factories: lock.LockFactory[] = [];

  beforeAll(() => {
    redis = new Redis({ ...sharedRedis() });
    prefix = uniquePrefix();
  });
  afterEach(async () => {
    await Promise.all(factories.splice(0).map((factory) => factory.close(5_000)));
  });
  afterAll(() => redis.quit());

  const open = (count: number): lock.LockFactory[] => {
    const opened = Array.from({ length: count }, () =>
      lock.open({ provider: 'redis', client: redis, prefix, yield: true }),
    );
    factories.push(...opened);
    return opened;
  };
  const inLine = (key: string, count: number): Promise<void> =>
    eventually(async () => expect(await redis.llen(`${prefix}${key}:~q`)).toBe(count));

  /** The key is to be free for 10 ms, in which it is looked at: the process must not stand still then. */
  const whileFree = (key: string, look: () => Promise<void>): Promise<void> =>
    undisturbed(3, async () => {
      // The pause before this one is forgotten.
      await redis.del(`${prefix}${key}:~qy`);
      await look();
    });

  /** Nobody is inside beside another, whoever it is. */
  class Section {
    inside = 0;
    visits = 0;
    broken = 0;

    async visit(ms: number): Promise<void> {
      this.inside += 1;
      this.visits += 1;
      if (this.inside !== 1) this.broken += 1;
      await sleep(ms);
      this.inside -= 1;
    }
  }

  /** As a Go service: polls, and tells nobody. @returns how often it had the key until `enough` or the time was over */
  async function goService(key: string, section: Section, enough: number, limit: number): Promise<number> {
    let hits = 0;
    for (const end = performance.now() + limit; hits < enough && performance.now() < end; await sleep(20)) {
      const value = randomBytes(16).toString('base64url');
      if ((await redis.set(prefix + key, value, 'PX', 10_000, 'NX')) !== 'OK') continue;
      hits += 1;
      await section.visit(3);
      await redis.eval(RELEASE, 1, prefix + key, value);
    }
    return hits;
  }

  it.each([
    ['two processes with eight waiters each', 2, 8],
    ['one process with eight waiters', 1, 8],
    ['eight processes with one waiter each', 8, 1],
  ])('is had by a Go service that polls, beside %s; all go on, one at a time', async (_, processes, waiters) => {
    const key = `hot ${processes} ${waiters}`;
    const section = new Section();
    const served = new Array<number>(processes * waiters).fill(0);
    let stop = false;
    const busy = open(processes).flatMap((factory, process) =>
      Array.from({ length: waiters }, async (_, n) => {
        while (!stop) {
          await using one = await factory.new(key, '30s').lock();
          if (!one.held) section.broken += 1;
          served[process * waiters + n]! += 1;
          await section.visit(1);
        }
      }),
    );
    await sleep(100);
    // One poll in ten or so finds it free; never, without the option.
    expect(await goService(key, section, 3, 30_000)).toBe(3);
    const before = [...served];
    await eventually(() => served.forEach((count, n) => expect(count).toBeGreaterThan(before[n]!)), 15_000);
    stop = true;
    await Promise.all(busy);
    expect(section.broken).toBe(0);
    expect(await redis.exists(prefix + key, `${prefix}${key}:~q`)).toBe(0);
  });

  it('is free for some milliseconds after a release, and goes to the first in line then, told by whoever released', async () => {
    const [ours, theirs, third] = open(3) as [lock.LockFactory, lock.LockFactory, lock.LockFactory];
    await whileFree('bare', async () => {
      const held = await ours.new('bare', '30s').lock();
      const order: string[] = [];
      const visit = async (name: string, factory: lock.LockFactory): Promise<void> => {
        await using one = await factory.new('bare', '30s').lock();
        order.push(one.held ? name : 'not held');
      };
      const first = visit('theirs', theirs);
      await inLine('bare', 1);
      const second = visit('third', third);
      await inLine('bare', 2);
      const released = performance.now();
      await held.unlock();
      const value = await redis.get(`${prefix}bare`);
      await Promise.all([first, second]);
      expect(value).toBeNull();
      expect(performance.now() - released).toBeLessThan(700);
      expect(order).toEqual(['theirs', 'third']);
    });
  });

  it('those in line go before one of the same process who asks behind the release', async () => {
    const [ours, theirs] = open(2) as [lock.LockFactory, lock.LockFactory];
    await whileFree('fifo', async () => {
      const held = await ours.new('fifo', '30s').lock();
      const order: string[] = [];
      const visit = async (name: string, factory: lock.LockFactory): Promise<void> => {
        // A token of its own is not handed on inside the process.
        await using one = await factory.new('fifo', '30s', { token: `${name}${prefix}` }).lock();
        order.push(one.held ? name : 'not held');
      };
      const first = visit('theirs', theirs);
      await inLine('fifo', 1);
      const second = visit('ours', ours);
      const released = performance.now();
      await held.unlock();
      const value = await redis.get(`${prefix}fifo`);
      await Promise.all([first, second]);
      expect(value).toBeNull();
      expect(performance.now() - released).toBeLessThan(700);
      expect(order).toEqual(['theirs', 'ours']);
    });
  });

  it('pauses at most once in 100 ms, and not at all when nobody waits', async () => {
    const [ours, theirs] = open(2) as [lock.LockFactory, lock.LockFactory];
    await (await ours.new('once', '30s').lock()).unlock();
    expect(await redis.exists(`${prefix}once:~qy`)).toBe(0);
    await redis.set(`${prefix}once:~qy`, '', 'PX', 60_000);
    for (let round = 0; round < 10; round += 1) {
      const held = await ours.new('once', '30s').lock();
      const wait = theirs.new('once', '30s').lock();
      await inLine('once', 1);
      await held.unlock();
      // Handed on in the release.
      expect(await redis.exists(`${prefix}once`)).toBe(1);
      await (await wait).unlock();
    }
    await redis.del(`${prefix}once:~qy`);
  });

  it('close makes an end of the pause at once', async () => {
    const [theirs, ours] = open(2) as [lock.LockFactory, lock.LockFactory];
    await ours.new('closing', '30s').lock();
    const waiting = theirs.new('closing', '30s').lock();
    await inLine('closing', 1);
    using scripts = scriptsSent('closing');
    await ours.close();
    await (await waiting).unlock();
    // The release and the end of the pause, then the release of the other, who did not ask for himself.
    expect(scripts.texts.length).toBeLessThanOrEqual(3);
  });
});
