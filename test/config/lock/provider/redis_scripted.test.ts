import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { NotObtainedError, ProviderUnreachableError } from '../../../../src/config/lock/errors.js';
import { LockFactory } from '../../../../src/config/lock/factory.js';
import { Lease } from '../../../../src/config/lock/lease.js';
import { DEFAULT_LOCK_TERMS } from '../../../../src/config/lock/options.js';
import type { Lock } from '../../../../src/config/lock/lock.js';
import { RedisStore } from '../../../../src/config/lock/provider/redis/index.js';
import { SCRIPT } from '../../../../src/config/lock/provider/redis/script.js';
import type { Wait } from '../../../../src/config/lock/provider/redis/wait.js';
import { sharedRedis, uniquePrefix } from '../../../support/redis_server.js';
import { replyError, ScriptedRedis, type Asked } from '../../../support/scripted_redis.js';
import { eventually } from '../../../support/time.js';

/** What went wrong on Redis once, step by step, with a server that says what the test wants. */
describe('locks on a server of the test', () => {
  let factory: LockFactory;
  let server: ScriptedRedis;

  const open = (answer: (asked: Asked) => unknown): LockFactory => {
    server = new ScriptedRedis(answer);
    return (factory = new LockFactory(new RedisStore(server.client, { limit: 2_000 })));
  };
  afterEach(() => factory.close(100).catch(() => undefined));

  const microseconds = (): number => Date.now() * 1_000;
  const held = (ms = 60_000, foreign = 0): number[] => [ms, foreign, microseconds()];
  const ops = (): string => server.asked.map(({ op }) => op).join('');
  const entries = (): string[] => server.asked.flatMap(({ op, args }) => ('OK'.includes(op) && args[3] ? args[3] : []));
  const widOf = (entry: string | undefined): string => entry!.split('|')[1]!;
  /** Resolves when a waiter has asked so often to stand in line. */
  const inLine = (count = 1): Promise<void> => eventually(() => expect(entries().length).toBeGreaterThanOrEqual(count));

  it('a question whose answer was lost is not sent again behind its undoing when its caller gave up in between', async () => {
    let undone = 0;
    const locks = open(({ op }) => {
      if (op !== 'C') return new Error('Connection is closed.');
      undone += 1;
      return 0;
    });
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    await eventually(() => expect(ops()).toBe('T'));
    // In the pause before the next try.
    controller.abort(new Error('gave up'));
    await expect(wait).rejects.toThrow('gave up');
    await eventually(() => expect(undone).toBeGreaterThan(0));
    await sleep(150);
    expect(ops()).toMatch(/^TC+$/);
  });

  it('an undoing whose connection broke is tried again after its own pause, not at once', async () => {
    const undone: number[] = [];
    const locks = open(({ op }) => {
      if (op === 'C') undone.push(performance.now());
      return op === 'C' && undone.length === 1 ? new Error('Connection is closed.') : op === 'C' ? 1 : held(20);
    });
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    await inLine();
    controller.abort(new Error('gave up'));
    await expect(wait).rejects.toThrow('gave up');
    await eventually(() => expect(undone).toHaveLength(2));
    expect(undone[1]! - undone[0]!).toBeGreaterThan(90);
  });

  it('a grant that is heard while its undoing pauses goes back at once', async () => {
    const undone: number[] = [];
    const locks = open(({ op }) => {
      if (op === 'C') undone.push(performance.now());
      return op !== 'C' ? held() : undone.length < 5 ? new Error('Connection is closed.') : 1;
    });
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    await inLine();
    controller.abort(new Error('gave up'));
    await expect(wait).rejects.toThrow('gave up');
    // After 100, 200 and 400 ms; the next one would come after 800 ms.
    await eventually(() => expect(undone).toHaveLength(4));
    await sleep(50);
    const told = performance.now();
    server.copies.at(-1)!.tell(`${widOf(entries()[0])}|${microseconds()}|${microseconds()}`);
    await eventually(() => expect(undone).toHaveLength(5));
    expect(undone[4]! - told).toBeLessThan(300);
  });

  it('pauses are spread by chance, each between the bounds that are promised', () => {
    const store = new RedisStore(new ScriptedRedis(() => 1).client, { pollMin: 5_000, pollMax: 8_000 });
    const spread = (listening: boolean, unheard: boolean, attempt: number): number[] => {
      const refusal = { granted: false, asked: 0, left: Infinity, listening, unheard } as const;
      return Array.from({ length: 200 }, () => store.pause(refusal, attempt)).sort((a, b) => a - b);
    };
    for (const [pauses, least, most] of [
      [spread(false, false, 1), 3_750, 6_250],
      [spread(false, false, 9), 6_000, 10_000],
      [spread(true, false, 1), 750, 1_000],
      [spread(true, true, 1), 75, 125],
    ] as const) {
      expect(pauses[0]).toBeGreaterThanOrEqual(least);
      expect(pauses.at(-1)).toBeLessThanOrEqual(most);
      expect(new Set(pauses).size).toBeGreaterThan(150);
    }
  });

  it('a question is not sent again behind a grant that came by message', async () => {
    let lost = false;
    const locks = open(({ op }) => {
      if (op === 'K' && entries().length > 1) lost = true;
      return lost && op === 'K' ? new Error('Connection is closed.') : op === 'R' ? 1 : held(20);
    });
    const [waiting, behind] = [locks.new('k', '60s').lock(), locks.new('k', '60s').lock()];
    // The other hold is over: it asks again, and is told while the answer is lost.
    await inLine(2);
    server.copies[0]!.tell(`${widOf(entries()[0])}|${microseconds()}|${microseconds()}`);
    // Handed on inside the process, it is still that hold.
    await (await waiting).unlock();
    const before = server.asked.length;
    await (await behind).unlock();
    await sleep(150);
    expect(ops().slice(before)).toBe('R');
  });

  it('what may still be on its way on an earlier connection is undone behind the release, also of who was handed the hold', async () => {
    server = new ScriptedRedis(({ op }) => (op === 'O' ? microseconds() : 1));
    const store = new RedisStore(server.client, { limit: 50 });
    const [from, to] = [
      new Lease('k', 60_000, DEFAULT_LOCK_TERMS.hold),
      new Lease('k', 60_000, DEFAULT_LOCK_TERMS.hold),
    ];
    const line = { followed: true, grant: () => undefined, ask: () => undefined, refused: () => undefined };
    const now = performance.now();
    const answer = await store.obtain(from, now, line);
    if (!answer?.granted) throw new Error('not granted');
    from.grant(answer.fence, answer.until);
    (from.memo as Wait).astray = 0;
    expect(store.pass(from, to, now)).toMatchObject({ granted: true });
    to.takeOver(from);
    await store.release(to);
    await eventually(() => expect(ops()).toMatch(/^ORC+$/));
    await store.close(50);
  });

  it.each([
    ['not sent yet', 0],
    ['on its way', 20],
  ])('closing does not wait for a question that nobody wants any more and that is %s', async (_, ms) => {
    const locks = open(({ op, key }) => (op !== 'T' ? 1 : key === 'k' ? sleep(150, microseconds()) : microseconds()));
    await (await locks.new('first', '60s').lock()).unlock();
    const wait = locks.new('k', '60s').lock();
    wait.catch(() => undefined);
    if (ms > 0) await sleep(ms);
    const started = performance.now();
    await locks.close(1_500);
    expect(performance.now() - started).toBeLessThan(1_000);
    await expect(wait).rejects.toThrow(/closed/);
  });

  it('questions that nobody wants any more break no connection that answers them', async () => {
    server = new ScriptedRedis(async ({ op }) => (op === 'T' ? sleep(30, microseconds()) : 1));
    factory = new LockFactory(new RedisStore(server.client, { limit: 150 }));
    await (await factory.new('first', '60s').lock()).unlock();
    for (const key of ['a', 'b', 'c']) {
      const controller = new AbortController();
      const wait = factory.new(key, '60s').lock({ signal: controller.signal });
      await sleep(5);
      controller.abort(new Error('enough'));
      await expect(wait).rejects.toThrow('enough');
    }
    await sleep(400);
    await (await factory.new('d', '60s').lock()).unlock();
    expect(server.copies).toHaveLength(1);
  });

  describe("a token of one's own, which the next hold of this process has as well:", () => {
    const own = { token: 'host-1' };
    const closed = new Error('Connection is closed.');

    it('a release is not sent again once the next one has the key', async () => {
      let fails = true;
      const locks = open(({ op }) => (op === 'T' || op === 'O' ? microseconds() : fails ? closed : 1));
      const [first, next] = [locks.new('k', '60s', own), locks.new('k', '60s', own)];
      await first.lock();
      const released = first.unlock();
      await eventually(() => expect(ops()).toContain('R'));
      await next.lock();
      const before = ops().length;
      fails = false;
      await released;
      await sleep(250);
      expect(ops().slice(before)).toBe('');
      await next.unlock();
      expect(ops().slice(before)).toBe('R');
    });

    it('a release that was not answered, and is asked for again, takes nothing from it', async () => {
      let fails = true;
      const locks = open(({ op }) => (op === 'T' || op === 'O' ? microseconds() : fails ? closed : 1));
      const [first, next] = [locks.new('k', '60s', own), locks.new('k', '60s', own)];
      await first.lock();
      await expect(first.unlock()).rejects.toBeInstanceOf(ProviderUnreachableError);
      await next.lock();
      fails = false;
      const before = ops().length;
      await first.unlock();
      await sleep(250);
      expect(ops().slice(before)).toBe('');
      expect(next.held).toBe(true);
      await next.unlock();
    });

    it('a release that finds nothing, for the undoing of a wait came first, counts as one', async () => {
      let fails = true;
      const moving = replyError('TRYAGAIN Multiple keys request during rehashing of slot');
      const locks = open(({ op }) => {
        if (op === 'C') return 1;
        if (op === 'R') return fails ? moving : 0;
        return ops() === 'T' ? microseconds() : new Promise(() => undefined);
      });
      const [first, next] = [locks.new('k', '60s', own), locks.new('k', '60s', own)];
      await first.lock();
      const released = first.unlock();
      await eventually(() => expect(ops()).toContain('R'));
      await expect(next.tryLock({ signal: AbortSignal.timeout(50) })).rejects.toThrow('timeout');
      await eventually(() => expect(ops()).toContain('C'));
      fails = false;
      await released;
    });

    it('a refresh that is answered late takes nothing from it', async () => {
      const locks = open(({ op }) => (op === 'X' ? sleep(150, 1) : op === 'T' || op === 'O' ? microseconds() : 1));
      const [first, next] = [locks.new('k', '60ms', own), locks.new('k', '60s', own)];
      await first.lock();
      const refreshed = first.refresh('60ms').catch((error: unknown) => error);
      await next.lock();
      expect(await refreshed).toMatchObject({ code: 'ERR_LOCK_NOT_HELD' });
      await sleep(50);
      expect(ops()).toMatch(/^TX[TO]$/);
      expect(next.held).toBe(true);
      await next.unlock();
    });
  });

  it('stands in line with the first question for a key that another had lately, and tries all others, though it hears', async () => {
    let taken = true;
    const locks = open(({ op, key }) => (op === 'R' ? 1 : taken && key === 'hot' ? held() : microseconds()));
    /** The operations of taking and giving back, and whether the first stood in line. */
    const use = async (key: string, granted: boolean): Promise<string> => {
      const from = server.asked.length;
      const locker = locks.new(key, '60s');
      const waiting = locker.lock();
      if (!granted) {
        await inLine(entries().length + 1);
        server.copies[0]!.tell(`${widOf(entries().at(-1))}|${microseconds()}|${microseconds()}`);
      }
      await (await waiting).unlock();
      return server.asked
        .slice(from)
        .map(({ op, args }) => `${op}${args[3] ? '+' : ''}`)
        .join(' ');
    };
    expect(await use('hot', false)).toBe('T K+ R');
    expect(await use('hot', false)).toBe('O+ R');
    expect(await use('cool', true)).toBe('T R');
    taken = false;
    expect(await use('hot', true)).toBe('O+ R');
    expect(await use('hot', true)).toBe('T R');
  });

  it('a waiter whose grant lay unread beyond its ttl stands in line anew, under a new name', async () => {
    let first = true;
    const locks = open(async ({ op }) => {
      if (op === 'C') return 0;
      if (op === 'K' && first && entries().length === 1) {
        first = false;
        await sleep(350);
        return microseconds();
      }
      return held(60_000);
    });
    const controller = new AbortController();
    const wait = locks.new('k', '300ms').lock({ signal: controller.signal });
    await inLine(2);
    const [left, anew] = entries().map(widOf);
    expect(anew).not.toBe(left);
    // Under a new token, too: the undoing of the first may arrive at any time.
    const values = server.asked.filter(({ op }) => 'TOK'.includes(op)).map(({ args }) => args[0]);
    expect(values.at(-1)).not.toBe(values[0]);
    expect(server.asked.find(({ op }) => op === 'C')?.args[0]).toBe(values[0]);
    server.copies[0]!.tell(`${anew}|${microseconds()}|${microseconds()}`);
    expect((await wait).held).toBe(true);
  });

  it('a grant that is confirmed late has the fence of the confirmation', async () => {
    let confirming = false;
    const given = microseconds();
    const locks = open(({ op }) => (op === 'X' ? 1 : confirming ? given + 1_000 : held()));
    const locker = locks.new('k', '60s');
    const waiting = locker.lock();
    await inLine();
    confirming = true;
    // Given so long ago that little is left; then given to others, and to us once more.
    server.copies[0]!.tell(`${widOf(entries()[0])}|${given}|${given - 50_000_000}`);
    await waiting;
    expect(locker.fence).toBe(BigInt(given + 1_000));
  });

  it.each([
    ['without metadata', ''],
    ['with metadata', 'who holds'],
  ])('a grant to an entry that was left behind goes back, %s', async (_, metadata) => {
    let granted: number[] | number = held(20);
    const locks = open(({ op }) => (op === 'R' || op === 'C' ? 1 : granted));
    const locker = locks.new('k', '60s', { metadata });
    const waiting = locker.lock();
    await inLine();
    granted = microseconds();
    await waiting;
    await locker.unlock();
    server.copies[0]!.tell(`${widOf(entries()[0])}|${microseconds() + 1_000}|${microseconds()}`);
    await eventually(() => expect(server.asked.at(-1)).toMatchObject({ op: 'C', key: 'k' }));
    expect(server.asked.at(-1)!.args[0]).toBe(server.asked[0]!.args[0]);
  });

  it('what was given up while the server did not know the script is not sent behind its undoing', async () => {
    let refuse: (() => void) | undefined;
    // The undoing finds the script there: another client has had it loaded in between.
    const locks = open(({ op, key }) => {
      if (op !== 'T' || key !== 'k') return op === 'C' ? 0 : microseconds();
      return new Promise((resolve) => (refuse = () => resolve(replyError('NOSCRIPT No matching script.'))));
    });
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    const beside = locks.new('beside', '60s').lock();
    await eventually(() => expect(refuse).toBeDefined());
    controller.abort(new Error('gave up'));
    await expect(wait).rejects.toThrow('gave up');
    await eventually(() => expect(ops()).toContain('C'));
    refuse!();
    expect((await beside).held).toBe(true);
    const again = server.asked.filter(({ command }) => command === 'eval').map(({ key }) => key);
    expect(again).toEqual(['beside']);
  });

  it('an unlock by a script that the server had forgotten tells whether the lock was held', async () => {
    let known = true;
    const locks = open(({ op, command }) => {
      if (command === 'evalsha' && !known) return replyError('NOSCRIPT No matching script.');
      return op === 'R' ? 0 : microseconds();
    });
    const locker = await locks.new('k', '60s').lock();
    known = false;
    // "Not yours", to a release that was never run before.
    await expect(locker.unlock()).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_HELD' });
  });

  it.each([
    'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.',
    'LOADING Redis is loading the dataset in memory',
  ])('a server that cannot let us listen now is asked again, and waiters do not poll for good: %s', async (busy) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const publish = jest.spyOn(ScriptedRedis.prototype, 'publish').mockRejectedValueOnce(replyError(busy));
    try {
      const locks = open(({ op }) => (op === 'R' ? 1 : held()));
      const waiting = locks.new('k', '60s').lock();
      waiting.catch(() => undefined);
      await inLine();
      expect(publish).toHaveBeenCalledTimes(2);
      expect(warned).not.toHaveBeenCalled();
      server.copies[0]!.tell(`${widOf(entries()[0])}|${microseconds()}|${microseconds()}`);
      await (await waiting).unlock();
    } finally {
      publish.mockRestore();
      warned.mockRestore();
    }
  });

  it('a server whose messages do not reach us is polled, and each try to hear it leaves nothing behind', async () => {
    const publish = jest.spyOn(ScriptedRedis.prototype, 'publish').mockResolvedValue(0);
    try {
      let free = false;
      const locks = open(({ op }) => (op === 'R' ? 1 : free ? microseconds() : held(20)));
      const waiting = locks.new('k', '60s').lock();
      waiting.catch(() => undefined);
      await eventually(() => expect(server.asked.length).toBeGreaterThan(5));
      expect(entries()).toEqual([]);
      // At once, and after pauses of 100 ms and 200 ms.
      expect(publish.mock.calls.length).toBeLessThanOrEqual(3);
      const [connection] = server.copies;
      expect(connection!.listenerCount('message')).toBe(0);
      expect(connection!.listenerCount('end')).toBe(1);
      free = true;
      await (await waiting).unlock();
    } finally {
      publish.mockRestore();
    }
  });

  it('a watch over a foreign holder that Redis does not answer holds nobody up', async () => {
    const locks = open(({ op }) => (op === 'C' ? 0 : held(60_000, 1)));
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    // The connections of the watch never open; it is asked again all the same.
    await inLine(3);
    controller.abort(new Error('enough'));
    await expect(wait).rejects.toThrow('enough');
  });

  it('who cannot stand in line asks again in pauses', async () => {
    const outside = (): unknown[] => [...held(), 'OOM command not allowed'];
    const locks = open(({ op }) => (op === 'C' ? 0 : op === 'T' ? held() : sleep(1, outside())));
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    await inLine();
    await sleep(400);
    // After 25, 50, 100 and 200 ms, a quarter less at the least.
    expect(entries().length).toBeLessThanOrEqual(6);
    controller.abort(new Error('enough'));
    await expect(wait).rejects.toThrow('enough');
  });

  it('a key that was let be free is handed on though who follows gives up before he asks again', async () => {
    const controller = new AbortController();
    server = new ScriptedRedis(({ op, args }) => {
      if (op === 'Y') return 3;
      if (!'OK'.includes(op) || args[0] !== 'second') return op === 'N' || op === 'C' ? 1 : microseconds();
      setTimeout(() => controller.abort(new Error('enough')), 2);
      return [10, 0, microseconds()];
    });
    factory = new LockFactory(new RedisStore(server.client, { yield: true }));
    const first = await factory.new('k', '60s', { token: 'first' }).lock();
    const second = factory.new('k', '60s', { token: 'second' }).lock({ signal: controller.signal });
    await first.unlock();
    await expect(second).rejects.toThrow('enough');
    await eventually(() => expect(ops()).toMatch(/N/));
    expect(ops().match(/N/g)).toHaveLength(1);
  });

  it('a key that was let be free and is taken again by then is not handed on', async () => {
    let asked = 0;
    server = new ScriptedRedis(({ op }) => {
      if (op === 'Y') return 3;
      // The first one of the second lock comes while the key is let be free.
      return 'OK'.includes(op) && (asked += 1) === 2 ? [5, 0, microseconds()] : microseconds();
    });
    factory = new LockFactory(new RedisStore(server.client, { yield: true }));
    const first = await factory.new('k', '60s').lock();
    const second = factory.new('k', '60s', { metadata: 'another' }).lock();
    await first.unlock();
    await second;
    await sleep(50);
    expect(ops()).not.toMatch(/N/);
  });

  describe("under one token of the application's own", () => {
    const token = 'host-1';
    /** The time limit of a command. */
    const LIMIT = 300;
    /** What becomes of the question of the second hold, when the test says so. */
    let settle: (reply: unknown) => void;

    /**
     * A key that is held, and whose next question stays without an answer. What was sent for the first hold before is told that the
     * connection broke, once that question has been sent.
     */
    const openNext = async (
      given: (held: Lock) => Promise<unknown>,
      pause = 20,
    ): Promise<{ next: Promise<Lock>; held: Lock }> => {
      let taken = 0;
      let broke = (_: Error): void => undefined;
      server = new ScriptedRedis(({ op }) => {
        if (op === 'T' && (taken += 1) === 1) return microseconds();
        if ('TOK'.includes(op)) return new Promise((resolve) => (settle = resolve));
        return taken > 1 ? 1 : new Promise((_, reject) => (broke = reject));
      });
      factory = new LockFactory(new RedisStore(server.client, { limit: LIMIT }));
      const held = await factory.new('k', '60s', { token }).lock();
      void given(held).catch(() => undefined);
      await sleep(pause);
      const next = factory.new('k', '60s', { token }).lock();
      await eventually(() => expect(taken).toBe(2));
      broke(new Error('Connection is closed.'));
      return { next, held };
    };
    const behind = (): string => ops().slice(ops().lastIndexOf('T') + 1);

    it('a release is not sent again behind the question of the next hold, and counts as done with its answer', async () => {
      let released!: Promise<void>;
      const { next } = await openNext((held) => (released = held.unlock()));
      await sleep(100);
      settle(microseconds());
      await released;
      expect((await next).held).toBe(true);
      expect(behind()).toBe('');
    });

    it('a release without an answer is neither undone nor done again behind the question of the next hold', async () => {
      let released!: Promise<void>;
      const { next, held } = await openNext((one) => (released = one.unlock()), LIMIT / 2);
      await expect(released).rejects.toThrow(ProviderUnreachableError);
      const again = held.unlock();
      await sleep(50);
      settle(microseconds());
      await again;
      expect((await next).held).toBe(true);
      expect(behind()).toBe('');
    });

    it('a hold whose next question is given up is undone with that', async () => {
      const { next } = await openNext((held) => held.unlock());
      await expect(next).rejects.toThrow(ProviderUnreachableError);
      await eventually(() => expect(behind()).toMatch(/^C/));
    });

    it('a hold that ran out takes nothing from the next one that stands in line, neither by another unlock nor by a refresh', async () => {
      let taken = 0;
      server = new ScriptedRedis(({ op }) => {
        if ('TOK'.includes(op)) return (taken += 1) === 1 ? microseconds() : held();
        return op === 'X' ? new Promise(() => undefined) : new Error('Connection is closed.');
      });
      factory = new LockFactory(new RedisStore(server.client, { limit: LIMIT }));
      const ended = await factory.new('k', '200ms', { token }).lock();
      const refreshed = ended.refresh('60s');
      const unlocked = ended.unlock();
      const outcomes = Promise.allSettled([refreshed, unlocked]);
      await expect(unlocked).rejects.toThrow(ProviderUnreachableError);
      const controller = new AbortController();
      const next = factory.new('k', '60s', { token }).lock({ signal: controller.signal });
      next.catch(() => undefined);
      await inLine();
      const before = server.asked.length;
      await ended.unlock();
      expect((await outcomes)[0]).toMatchObject({ status: 'rejected' });
      await sleep(250);
      expect(server.asked.slice(before).map(({ op }) => op)).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/[RCX]/)]),
      );
      controller.abort();
    });

    it('a release that was held back is sent when the next question was given up, and counts as done whoever was first', async () => {
      let taken = 0;
      let refuse = (_: Error): void => undefined;
      server = new ScriptedRedis(({ op }) => {
        if (op === 'C') return 1;
        if (op === 'R') return taken === 1 ? new Promise((_, reject) => (refuse = reject)) : 0;
        return (taken += 1) === 1 ? microseconds() : new Promise(() => undefined);
      });
      factory = new LockFactory(new RedisStore(server.client, { limit: 2_000 }));
      const ended = await factory.new('k', '60s', { token }).lock();
      const unlocked = ended.unlock();
      await sleep(10);
      const controller = new AbortController();
      const next = factory.new('k', '60s', { token }).lock({ signal: controller.signal });
      await eventually(() => expect(taken).toBe(2));
      // It was not done; by now it would end the hold of the next.
      refuse(replyError('NOSCRIPT No matching script.'));
      await sleep(50);
      expect(behind()).toBe('');
      controller.abort(new Error('enough'));
      await expect(next).rejects.toThrow('enough');
      const started = performance.now();
      await unlocked;
      expect(performance.now() - started).toBeLessThan(1_000);
      expect(behind()).toMatch(/^CR/);
    });

    it('a release goes before the next question when both are sent apart, for the key of a third is not permitted', async () => {
      const refusal = replyError('NOPERM this user has no permissions to access one of the keys');
      server = new ScriptedRedis(({ op, key }) => (key === 'forbidden' ? refusal : op === 'R' ? 1 : microseconds()));
      factory = new LockFactory(new RedisStore(server.client, { limit: LIMIT }));
      const first = await factory.new('k', '60s', { token }).lock();
      const [, next, third] = await Promise.allSettled([
        first.unlock(),
        factory.new('k', '60s', { token }).lock(),
        factory.new('forbidden', '60s').tryLock(),
      ]);
      expect([next.status, third.status]).toEqual(['fulfilled', 'rejected']);
      expect(server.asked.slice(-3).map(({ op, key }) => op + key)).toEqual(['Rk', 'Tk', 'Tforbidden']);
    });

    it('a grant to an entry that was left behind goes to the next wait, or back when there is none', async () => {
      let free = false;
      const locks = open(({ op, args }) =>
        op === 'C' ? (args[0] === token ? 2 : 0) : op === 'R' ? 1 : free && op === 'K' ? microseconds() : held(),
      );
      const grantTo = (entry: string | undefined): void =>
        server.copies[0]!.tell(`${widOf(entry)}|${microseconds()}|${microseconds()}`);
      const lockFor = (wait: string): Promise<Lock> => locks.new('k', '60s', { token }).lock({ wait });
      await expect(lockFor('30ms')).rejects.toThrow(NotObtainedError);
      const [first] = entries();
      const waiting = lockFor('10s');
      await eventually(() => expect(new Set(entries()).size).toBe(2));
      free = true;
      const told = performance.now();
      grantTo(first);
      // By its own timer it would ask after 750 ms at the soonest.
      const next = await waiting;
      expect(performance.now() - told).toBeLessThan(500);
      await next.unlock();
      free = false;
      await expect(lockFor('30ms')).rejects.toThrow(NotObtainedError);
      await sleep(50);
      const before = server.asked.length;
      grantTo(entries().at(-1));
      await eventually(() =>
        expect(server.asked.slice(before).some(({ op, args }) => op === 'C' && args[0] === token)).toBe(true),
      );
    });

    it.each([
      ['a single try', (one: Lock) => one.tryLock()],
      ['a strategy that gives up', (one: Lock) => one.lock({ retry: { next: () => 0 } })],
    ])('a grant to such an entry goes back also behind %s, which was refused', async (_, refused) => {
      const locks = open(({ op, args }) => (op === 'C' ? (args[0] === token ? 2 : 0) : held()));
      const other = locks.new('other', '60s').lock({ wait: '10s' });
      other.catch(() => undefined);
      await expect(locks.new('k', '60s', { token }).lock({ wait: '50ms' })).rejects.toThrow(NotObtainedError);
      const entry = server.asked.findLast(({ key, args }) => key === 'k' && args[3])!.args[3];
      await expect(refused(locks.new('k', '60s', { token }))).rejects.toThrow(NotObtainedError);
      await sleep(50);
      const before = server.asked.length;
      server.copies[0]!.tell(`${widOf(entry)}|${microseconds()}|${microseconds()}`);
      await eventually(() =>
        expect(server.asked.slice(before).some(({ op, args }) => op === 'C' && args[0] === token)).toBe(true),
      );
    });

    it('an entry that stands in line although its wait was given up leaves it, whoever asks next', async () => {
      let undone = 0;
      const locks = open(({ op }) =>
        op === 'C' ? ((undone += 1) === 1 ? new Error('Connection is closed.') : 0) : held(),
      );
      const lockFor = (wait: string): Promise<unknown> => locks.new('k', '60s', { token }).lock({ wait });
      await expect(lockFor('50ms')).rejects.toThrow(NotObtainedError);
      const [entry] = entries();
      await expect(lockFor('400ms')).rejects.toThrow(NotObtainedError);
      const undoings = server.asked.filter(({ op, args }) => op === 'C' && args[1] === entry);
      // Again by a value that takes nothing from who is granted the key under that token.
      expect(undoings.map(({ args }) => args[0] === token)).toEqual([true, false]);
    });
  });
});

describe('a server of the test, with a second connection that hears', () => {
  let factory: LockFactory;
  let server: ScriptedRedis;

  const open = (answer: (asked: Asked) => unknown): LockFactory => {
    server = new ScriptedRedis(answer, true);
    return (factory = new LockFactory(new RedisStore(server.client, { limit: 2_000 })));
  };
  afterEach(() => factory.close(100).catch(() => undefined));

  const held = (ms = 60_000): number[] => [ms, 0, Date.now() * 1_000];
  const ops = (): string => server.asked.map(({ op }) => op).join('');
  const entries = (): string[] => server.asked.flatMap(({ op, args }) => ('OK'.includes(op) && args[3] ? args[3] : []));
  /** The connections that hear, in the order in which they were made. */
  const ears = (): readonly ScriptedRedis[] => server.copies[0]!.copies;

  it('a question is not sent behind the release of what came by message while hearing was made sure of', async () => {
    const locks = open(({ op }) => (op === 'R' ? 1 : op === 'K' && entries().length > 1 ? 9 : held()));
    const waiting = locks.new('k', '60s').lock();
    await eventually(() => expect(entries()).toHaveLength(1));
    const [wid] = entries()[0]!.split('|').slice(1);
    let reached = (_: number): void => undefined;
    server.besides.publish = () => new Promise<number>((resolve) => (reached = resolve));
    ears()[0]!.disconnect();
    await eventually(() => expect(ears()[1]?.listenerCount('message')).toBe(1));
    ears()[1]!.tell(`${wid}|7|${Date.now() * 1_000}`);
    await (await waiting).unlock();
    expect(ops()).toMatch(/R$/);
    reached(1);
    await sleep(100);
    expect(ops()).toMatch(/R$/);
  });

  it('one that says nothing any more, though nobody has told it, is replaced', async () => {
    const locks = open(({ op }) => (op === 'C' ? 0 : held()));
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    wait.catch(() => undefined);
    await eventually(() => expect(entries()).toHaveLength(1));
    // Who may not ask is answered, too.
    server.besides.ping = () => Promise.reject(replyError('NOPERM'));
    await sleep(1_500);
    expect(ears()).toHaveLength(1);
    server.besides.ping = () => new Promise(() => undefined);
    await eventually(() => expect(ears()[0]!.status).toBe('end'));
    await eventually(() => expect(ears()[1]?.status).toBe('ready'));
    controller.abort(new Error('enough'));
    await expect(wait).rejects.toThrow('enough');
  });

  it('one that ends as soon as it hears is not opened again and again', async () => {
    const locks = open(({ op }) => (op === 'C' ? 0 : held()));
    const opened = server;
    server.besides.subscribe = async () => {
      // Of this server alone: it may come when the next test has another.
      setTimeout(() => opened.copies[0]!.copies.at(-1)!.disconnect(), 5);
      return 1;
    };
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    wait.catch(() => undefined);
    await sleep(1_000);
    expect(ears().length).toBeGreaterThan(1);
    // Three times at once, then after 100, 200, 400 and 500 ms.
    expect(ears().length).toBeLessThan(9);
    controller.abort();
  });

  it('one that lets us hear later than is waited for is heard from then on', async () => {
    const locks = open(({ op }) => (op === 'C' ? 0 : held()));
    server.besides.subscribe = () => sleep(1_300);
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    wait.catch(() => undefined);
    await eventually(() => expect(entries().length).toBeGreaterThan(0));
    expect(ears()).toHaveLength(1);
    controller.abort();
  });

  it('one failure is one, however many wait', async () => {
    const locks = open(({ op }) => (op === 'C' ? 0 : held()));
    server.besides.subscribe = () => sleep(20).then(() => Promise.reject(new Error('Connection is closed.')));
    const controller = new AbortController();
    for (let key = 0; key < 10; key += 1)
      locks
        .new(`k${key}`, '60s')
        .lock({ signal: controller.signal })
        .catch(() => undefined);
    await eventually(() => expect(ears()).toHaveLength(1));
    await sleep(10);
    server.besides.subscribe = () => sleep(1);
    await sleep(20);
    const failed = performance.now();
    await eventually(() => expect(entries().length).toBeGreaterThan(0));
    expect(performance.now() - failed).toBeLessThan(1_000);
    controller.abort();
  });

  it.each([
    ['refused for the moment', replyError('ERR max number of clients reached')],
    ['broken', new Error('Connection is closed.')],
  ])('one that was %s is tried again soon', async (_, failure) => {
    const warned = jest.spyOn(process, 'emitWarning');
    const locks = open(({ op }) => (op === 'C' ? 0 : held()));
    server.besides.subscribe = () => Promise.reject(failure);
    const controller = new AbortController();
    const wait = locks.new('k', '60s').lock({ signal: controller.signal });
    wait.catch(() => undefined);
    await eventually(() => expect(ears()).toHaveLength(2));
    server.besides.subscribe = () => Promise.resolve(1);
    const started = performance.now();
    await eventually(() => expect(entries().length).toBeGreaterThan(0));
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
    controller.abort(new Error('enough'));
    await expect(wait).rejects.toThrow('enough');
  });
});

describe('the script', () => {
  const redis = new Redis({ ...sharedRedis(), lazyConnect: true });
  const prefix = uniquePrefix();
  afterAll(() => redis.quit());

  it('leaves no entry in line when an obtain that was sent before is granted', async () => {
    const [key, line] = [`${prefix}k`, `${prefix}k:~q`];
    const entry = 'mlk:AAAAAAAAAAAA|AAAAAAAAAAAA|60000|1|value';
    for (const op of ['O', 'K']) {
      await redis.rpush(line, entry);
      const texts = JSON.stringify([op, 'value', '60000', '1', entry]);
      const replies = await redis.eval(SCRIPT, 3, `${prefix}guard`, key, line, '', '', '0', '0', '1', texts);
      expect(replies).toEqual([expect.any(Number)]);
      expect(await redis.exists(line)).toBe(0);
      await redis.del(key);
    }
    await redis.del(`${prefix}guard`);
  });

  it.each([1, 3])('before version 7, which takes NX or GET alone, tries %i as it does now', async (count) => {
    // A word that Redis does not know is what GET was then, and it told no version.
    expect(SCRIPT).toMatch(/'NX', 'GET'[^]*redis\.REDIS_VERSION_NUM/);
    const old = SCRIPT.replaceAll("'NX', 'GET'", "'NX', 'NEW'").replace('redis.REDIS_VERSION_NUM', 'redis.NONE');
    const guard = `${prefix}guard`;
    const keys = Array.from({ length: count }, (_, n) => `${prefix}k${n}`);
    const values = keys.map((_, n) => `value${n}`);
    const asked = ['60000', ...(count > 1 ? ['0', String(count)] : [])];
    const run = (script: string, them: string[]) =>
      redis.eval(script, count + 1, guard, ...keys, them.join(''), ...asked) as Promise<number | unknown[]>;
    for (const script of [old, SCRIPT]) {
      expect(await run(script, values)).toBeGreaterThan(1);
      expect(await redis.mget(keys)).toEqual(values);
      expect(await redis.pttl(keys[0]!)).toBeGreaterThan(50_000);
      const another: unknown = [expect.any(Number), 1, expect.any(Number)];
      expect(
        await run(
          script,
          values.map((value) => value.toUpperCase()),
        ),
      ).toEqual(keys.map(() => another));
      expect(await redis.mget(keys)).toEqual(values);
      // Sent again, it succeeds.
      expect(await run(script, values)).toEqual(keys.map((): unknown => expect.any(Number)));
      await redis.del(keys[0]!);
      await redis.rpush(keys[0]!, 'a list');
      const [wrong] = (await run(script, values).catch((error: Error) => [error])) as [Error];
      expect(wrong.message).toContain('WRONGTYPE');
      await redis.del(guard, ...keys);
    }
  });

  /** Many enough to be done together; each has a value of one letter. */
  const many = Array.from({ length: 20 }, (_, n) => ({ key: `${prefix}m${n}`, value: String.fromCharCode(65 + n) }));
  const tried = (them: typeof many, ttl = '60000') => {
    const keys = [`${prefix}guard`, ...them.map(({ key }) => key)];
    return redis.eval(
      SCRIPT,
      keys.length,
      ...keys,
      them.map(({ value }) => value).join(''),
      ttl,
      '0',
      String(them.length),
    );
  };
  const clear = () => redis.del(`${prefix}guard`, ...many.map(({ key }) => key));

  it('sets many free keys by one command, and gives each its value, its end and its fence', async () => {
    const calls = async () => Number(/cmdstat_msetnx:calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
    const [before, first] = [await calls(), (await tried(many)) as number];
    expect(await calls()).toBeGreaterThan(before);
    expect(await redis.mget(many.map(({ key }) => key))).toEqual(many.map(({ value }) => value));
    for (const { key } of many) {
      const left = await redis.pttl(key);
      expect(left).toBeGreaterThan(50_000);
      expect(left).toBeLessThanOrEqual(60_000);
    }
    const { key } = many[0]!;
    await redis.del(key);
    expect(await redis.eval(SCRIPT, 2, `${prefix}guard`, key, 'A', '60000')).toBeGreaterThan(first + many.length - 1);
    await clear();
  });

  it('takes each value of many tries from behind those of the releases in front of them', async () => {
    const [guard, mine] = [`${prefix}guard`, `${prefix}mine`];
    await redis.set(mine, '_');
    const keys = [guard, mine, `${mine}:~q`, ...many.map(({ key }) => key)];
    const values = ['_', ...many.map(({ value }) => value)].join('');
    await redis.eval(SCRIPT, keys.length, ...keys, values, '60000', '1', String(many.length));
    expect(await redis.mget(mine, ...many.map(({ key }) => key))).toEqual([null, ...many.map(({ value }) => value)]);
    await clear();
  });

  it('grants a key that is tried twice in one call to the first, among many too', async () => {
    for (const them of [many.slice(0, 2), many]) {
      const first = them[0]!;
      const replies = (await tried([...them, { key: first.key, value: '!' }])) as unknown[];
      expect(replies).toEqual([
        ...them.map((): unknown => expect.any(Number)),
        [expect.any(Number), 1, expect.any(Number)],
      ]);
      expect(await redis.mget(them.map(({ key }) => key))).toEqual(them.map(({ value }) => value));
      for (const { key } of them) expect(await redis.pttl(key)).toBeGreaterThan(50_000);
      await clear();
    }
  });

  it.each(['', 'soon', '0', '-5', '60000.5', '1e3', '0x10'])(
    'refuses the ttl %j, of one try as of many',
    async (ttl) => {
      for (const them of [many.slice(0, 2), many]) {
        const replies = (await tried(them, ttl)) as unknown[];
        expect(replies).toEqual(them.map((): unknown => expect.any(Error)));
        expect(await redis.exists(many.map(({ key }) => key))).toBe(0);
      }
      await clear();
    },
  );

  it('grants a try in front, with `yield` too, of a key that a release in front of it frees after all', async () => {
    const [guard, mine, other] = ['guard', 'mine', 'other'].map((name) => prefix + name) as [string, string, string];
    await redis.mset(mine, 'A', other, 'somebody');
    // The second release does not have its key, so that all of them are looked at one by one, behind the tries.
    const keys = [guard, mine, other, `${mine}:~q`, `${other}:~q`, mine, guard, guard];
    const asked = ['ABC', '60000', '2', '1', '0', JSON.stringify(['P', 'D']), '1'];
    const replies = await redis.eval(SCRIPT, keys.length, ...keys, ...asked);
    expect(replies).toEqual([1, 0, expect.any(Number), -3]);
    expect(await redis.get(mine)).toBe('C');
    await redis.del(guard, mine, other);
  });
});
