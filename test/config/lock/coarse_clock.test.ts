import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { CoarseClock } from '../../../src/config/lock/coarse_clock.js';
import { LockNotHeldError, type Lock } from '../../../src/config/lock/index.js';
import { lock } from '../../../src/index.js';
import { eventually } from '../../support/time.js';

/** More looks than a turn may have that is not a full one. */
const MANY = 100;
const TTL = 100;

let time: number;
let looks: number;
beforeEach(() => {
  time = 1_000;
  looks = 0;
  jest.spyOn(performance, 'now').mockImplementation(() => {
    looks += 1;
    return time;
  });
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('the clock of locks in memory', () => {
  it('is the true one while looks are rare, in however long a turn', () => {
    const clock = new CoarseClock();
    for (let n = 0; n < 1_000; n += 1) {
      time += 1;
      expect(clock.now()).toBe(time);
    }
    expect(clock.stretch).toBeUndefined();
  });

  it('stands still in a full turn, and goes on in the next', async () => {
    const clock = new CoarseClock();
    for (let n = 0; n < MANY; n += 1) clock.now();
    const { stretch } = clock;
    time += 50;
    expect(clock.now()).toBe(1_000);
    expect(stretch?.end).toBeUndefined();
    await nextTurn();
    expect(stretch?.end).toBe(1_050);
    expect(clock.now()).toBe(1_050);
    expect(clock.stretch).toBeUndefined();
  });

  it('goes on in the next turn though mocked timers came and went without it', async () => {
    const clock = new CoarseClock();
    const mocked = jest.spyOn(globalThis, 'setImmediate').mockImplementation(() => ({}) as NodeJS.Immediate);
    for (let n = 0; n < MANY; n += 1) clock.now();
    mocked.mockRestore();
    time += 50;
    await nextTurn();
    expect(clock.now()).toBe(1_050);
  });

  it('goes on in a turn that never ends, every 128 looks', () => {
    const clock = new CoarseClock();
    let last = clock.now();
    let stood = 0;
    let longest = 0;
    for (let n = 0; n < 10_000; n += 1) {
      time += 0.01;
      const now = clock.now();
      stood = now === last ? stood + 1 : 0;
      longest = Math.max(longest, stood);
      last = now;
    }
    expect(longest).toBe(127);
  });

  it('never runs ahead, never back, and is behind by what one stretch took at the most', async () => {
    const step = fc.record({ ms: fc.constantFrom(0, 0.01, 0.2, 30), looks: fc.nat(60), isOver: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        const clock = new CoarseClock();
        let last = -Infinity;
        let turn = time;
        for (const { ms, looks: times, isOver } of steps) {
          time += ms;
          for (let n = 0; n < times; n += 1) {
            const now = clock.now();
            if (now < Math.max(last, turn) || now > time) throw new Error(`${now} after ${last}, at ${time}`);
            last = now;
          }
          if (!isOver) continue;
          await nextTurn();
          turn = time;
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('leases in a full turn', () => {
  it('cost a look at the clock for a hundred of them', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    for (let n = 0; n < 5_000; n += 1) await (await factory.new(`k${n}`, TTL).lock()).unlock();
    expect(looks).toBeLessThan(300);
    await factory.close();
  });

  it('last for all of their ttl, though the turn has taken longer than that when they begin', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    await fill(factory);
    time += 5 * TTL;
    const late = await factory.new('late', TTL).tryLock();
    await nextTurn();
    time += TTL - 1;
    expect(late.held).toBe(true);
    await expect(factory.new('late', TTL).tryLock()).rejects.toThrow('lock: not obtained');
    time += 1;
    expect(late.held).toBe(false);
    await factory.close();
  });

  it('of an earlier turn are judged by the true time, by who gives them back and by who wants them', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    const [given, wanted] = [await factory.new('given', TTL).tryLock(), await factory.new('wanted', TTL).tryLock()];
    await nextTurn();
    await fill(factory);
    time += TTL;
    await expect(given.unlock()).rejects.toThrow(LockNotHeldError);
    await expect(factory.new('wanted', TTL).tryLock()).resolves.toHaveProperty('held', true);
    expect(wanted.held).toBe(false);
    await factory.close();
  });

  it.each([{ retry: lock.noRetry() }, { wait: 1 }, { wait: 0 }])(
    'are judged by the true time by who waits with %j',
    async (options) => {
      const factory = lock.open({ provider: 'go_cache' });
      await factory.new('k', TTL).tryLock();
      await nextTurn();
      await fill(factory);
      time += TTL;
      await expect(factory.new('k', TTL).lock(options)).resolves.toHaveProperty('held', true);
      await factory.close();
    },
  );

  it('are not lost by who asks how long they last, at whatever moment', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    const held = await takenInFullTurn(factory, 50);
    // The deadline by the begin of the stretch passes between two looks.
    time = 1_000 + TTL - 0.001;
    jest.spyOn(performance, 'now').mockImplementation(() => (time += 0.001) - 0.001);
    expect(await held.ttlLeft()).toBeGreaterThan(0);
    expect(await held.ttlLeft()).toBeCloseTo(50, 1);
    expect(held.held).toBe(true);
    await factory.close();
  });

  it('are given back within the turn in time, whatever it took and whoever looked at them meanwhile', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    await fill(factory);
    const held = factory.new('k', TTL);
    const taking = held.tryLock();
    for (let n = 0; n < 3; n += 1) {
      time += 2 * TTL;
      expect(held.held).toBe(true);
    }
    time += 2 * TTL;
    await held.unlock();
    await taking;
    await factory.close();
  });

  it('end with the lifetime of a refresh, also if that gives the deadline that they seemed to have', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    const held = await takenInFullTurn(factory, 50);
    await held.refresh(TTL - 50);
    time += TTL - 50;
    expect(held.held).toBe(false);
    await factory.close();
  });

  it('are renewed in time by the figures, too', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    const held = await takenInFullTurn(factory, 2 * TTL, { renew: true });
    await eventually(() => expect(factory.renewal.rounds).toBe(1));
    expect(factory.renewal.leastLeft).toBe(1);
    expect(held.held).toBe(true);
    await factory.close();
  });

  it('end by their ttl for others that keep the turn from ending', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    await fill(factory);
    await factory.new('k', TTL).tryLock();
    const since = time;
    for (;;) {
      time += 0.05;
      if (
        await factory
          .new('k', TTL)
          .tryLock()
          .catch(() => undefined)
      )
        break;
      expect(time).toBeLessThan(since + 2 * TTL);
    }
    expect(time).toBeGreaterThanOrEqual(since + TTL);
    await factory.close();
  });

  it('exclude, last for their ttl, and end by it after their turn, whatever is taken, given back and blocked', async () => {
    const kind = fc.constantFrom('fill', 'fill', 'try', 'try', 'wait', 'release', 'refresh', 'block', 'block', 'turn');
    const step = fc.record({ kind, key: fc.constantFrom('a', 'b'), ms: fc.integer({ min: 1, max: TTL }) });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const factory = lock.open({ provider: 'go_cache' });
        const holds = new Holds();
        for (const { kind, key, ms } of steps) {
          if (kind === 'fill') await fill(factory);
          else if (kind === 'try') await holds.try(factory.new(key, TTL));
          else if (kind === 'wait') holds.wait(factory.new(key, TTL));
          else if (kind === 'release') await holds.release(key);
          else if (kind === 'refresh') await holds.refresh(key, ms);
          else if (kind === 'block') time += ms;
          else if (kind === 'turn') await holds.turn();
          await Promise.resolve();
          holds.check();
        }
        await factory.close();
      }),
      { numRuns: 1_000 },
    );
  }, 60_000);
});

/** Makes the turn a full one. */
async function fill(factory: ReturnType<typeof lock.open>): Promise<void> {
  for (let n = 0; n < MANY; n += 1) await (await factory.new('others', TTL).lock()).unlock();
}

/** A hold that is taken in a full turn, which goes on for `ms` after that, and is over. */
async function takenInFullTurn(
  factory: ReturnType<typeof lock.open>,
  ms: number,
  options?: lock.LockOptions,
): Promise<Lock> {
  await fill(factory);
  const held = await factory.new('k', TTL, options).tryLock();
  time += ms;
  await nextTurn();
  return held;
}

interface Hold {
  readonly lock: Lock;
  /** It lasts for its ttl after this at least. */
  since: number;
  /** And at most for its ttl after this, when its turn was over. */
  turned: number;
  ttl: number;
}

/** Who should have what. */
class Holds {
  readonly #of = new Map<string, Hold>();
  readonly #last = new Map<string, bigint>();
  readonly #waiting = new Map<string, number>();

  async try(wanted: Lock): Promise<void> {
    const got = await wanted.tryLock().catch(() => undefined);
    const hold = this.#of.get(wanted.key);
    if (got) this.#granted(got);
    else if (!this.#waiting.get(wanted.key)) expect(hold !== undefined && time < hold.turned + hold.ttl).toBe(true);
  }

  /** Timers do not go on here: what waits is served by a release, or not at all. */
  wait(wanted: Lock): void {
    const { key } = wanted;
    this.#waiting.set(key, (this.#waiting.get(key) ?? 0) + 1);
    wanted.lock().then(
      (got) => {
        this.#waiting.set(key, this.#waiting.get(key)! - 1);
        this.#granted(got);
      },
      () => undefined,
    );
  }

  async release(key: string): Promise<void> {
    const hold = this.#of.get(key);
    if (!hold) return;
    const isTooLate = time >= hold.turned + hold.ttl;
    this.#of.delete(key);
    const released = await hold.lock.unlock().then(
      () => true,
      () => false,
    );
    if (isTooLate) expect(released).toBe(false);
    if (time < hold.since + hold.ttl) expect(released).toBe(true);
  }

  async refresh(key: string, ttl: number): Promise<void> {
    const hold = this.#of.get(key);
    if (!hold?.lock.held) return;
    await hold.lock.refresh(ttl);
    Object.assign(hold, { since: time, turned: time, ttl });
  }

  async turn(): Promise<void> {
    await nextTurn();
    for (const hold of this.#of.values()) hold.turned = Math.min(hold.turned, time);
  }

  check(): void {
    for (const { lock: held, since, turned, ttl } of this.#of.values()) {
      const left = held.remaining();
      expect(left).toBeLessThanOrEqual(Math.max(0, Math.min(turned, time) + ttl - time));
      if (time < since + ttl) expect(held.held).toBe(true);
      if (time >= turned + ttl) expect(held.held).toBe(false);
      expect(left > 0).toBe(held.held);
    }
  }

  #granted(got: Lock): void {
    const before = this.#of.get(got.key);
    expect(before?.lock.held ?? false).toBe(false);
    expect(got.fence).toBeGreaterThan(this.#last.get(got.key) ?? 0n);
    this.#last.set(got.key, got.fence!);
    this.#of.set(got.key, { lock: got, since: time, turned: Infinity, ttl: TTL });
  }
}
