import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { LockFactory } from '../../../src/config/lock/factory.js';
import { linearBackoff, type Lock } from '../../../src/config/lock/index.js';
import { GoCacheStore } from '../../../src/config/lock/provider/go_cache.js';
import { lock } from '../../../src/index.js';
import { Parts } from '../../support/garbage.js';
import { stall } from '../../support/time.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

/** `plain` is a routine without a signal, which may stand in line itself. */
const WAYS = ['lock', 'timed', 'poll', 'try', 'run', 'brief', 'plain'] as const;

/** Somebody who wants a key, from the first call to the end of the hold. */
interface Want {
  readonly key: string;
  readonly way: (typeof WAYS)[number];
  readonly controller: AbortController;
  state: 'waiting' | 'held' | 'over';
  lock?: Lock;
  /** Gives back what is held. */
  end: () => void;
}

/** Keys in memory, wanted in all ways; after each step it looks at what must be so. */
class Crowd {
  readonly #factory = new LockFactory(new GoCacheStore());
  readonly #wants: Want[] = [];
  readonly #fences = new Map<string, bigint>();
  #wrong: Error | undefined;

  want(key: string, way: Want['way'], ttl: number, wait: number): void {
    const controller = new AbortController();
    const want: Want = { key, way, controller, state: 'waiting', end: () => undefined };
    this.#wants.push(want);
    this.#ask(want, ttl, wait).catch((error: Error & { code?: unknown }) => {
      const due = controller.signal.aborted ? DOMException.ABORT_ERR : 'ERR_LOCK_NOT_OBTAINED';
      if (want.state !== 'waiting' || error.code !== due) this.#wrong ??= error;
      want.state = 'over';
    });
  }

  /** Of those in that state one, by number. */
  one(state: Want['state'], number: number): Want | undefined {
    const found = this.#wants.filter((want) => want.state === state);
    return found[number % found.length];
  }

  abort(number: number): void {
    const want = this.one('waiting', number);
    if (want?.way !== 'plain') want?.controller.abort();
  }

  async look(): Promise<void> {
    await jest.advanceTimersByTimeAsync(0);
    if (this.#wrong) throw this.#wrong;
    for (const want of this.#wants) if (want.state === 'held' && !want.lock!.held) want.state = 'over';
    for (const key of new Set(this.#wants.map((want) => want.key))) {
      const of = (state: Want['state']): Want[] =>
        this.#wants.filter((want) => want.key === key && want.state === state);
      const [held, waiting] = [of('held').length, of('waiting')];
      expect(held).toBeLessThanOrEqual(1);
      // One that polls may be in a pause, and keeps its place meanwhile.
      if (waiting.length > 0 && !waiting.some(({ way }) => way === 'poll')) expect(held).toBe(1);
    }
  }

  /** All end, and nothing is left. */
  async finish(): Promise<void> {
    for (let steps = 0; this.one('waiting', 0) || this.one('held', 0); steps += 1) {
      expect(steps).toBeLessThan(500);
      this.one('held', 0)?.end();
      await jest.advanceTimersByTimeAsync(1);
      await this.look();
    }
    await this.#factory.close();
    await jest.advanceTimersByTimeAsync(0);
    expect(jest.getTimerCount()).toBe(0);
  }

  async #ask(want: Want, ttl: number, wait: number): Promise<void> {
    const { key, way, controller } = want;
    const { signal } = controller;
    if (way === 'run' || way === 'brief' || way === 'plain') {
      const routine = async ({ lock }: { lock: Lock }): Promise<void> => {
        this.#got(want, lock);
        await new Promise<void>((resolve) => {
          want.end = () => {
            want.state = 'over';
            resolve();
          };
        });
      };
      const brief = ({ lock }: { lock: Lock }): void => {
        this.#got(want, lock);
        want.state = 'over';
      };
      const options = way === 'plain' ? { renew: false } : { signal, renew: false };
      return this.#factory.run(key, ttl, way === 'brief' ? brief : routine, options);
    }
    const options = { lock: {}, timed: { wait }, poll: { retry: linearBackoff(wait) }, try: { wait: 0 } }[way];
    const lock = await this.#factory.new(key, ttl, { signal, ...options }).lock();
    this.#got(want, lock);
    want.end = () => {
      want.state = 'over';
      lock.unlock().catch(() => undefined);
    };
  }

  #got(want: Want, lock: Lock): void {
    expect([want.state, lock.held]).toEqual(['waiting', true]);
    Object.assign(want, { state: 'held', lock });
    expect(lock.fence).toBeGreaterThan(this.#fences.get(want.key) ?? 0n);
    this.#fences.set(want.key, lock.fence!);
    // First come, first served, but for those that poll, and those that are told to go in this very moment.
    const before = this.#wants.slice(0, this.#wants.indexOf(want));
    const overtaken = before.filter(({ key, state, way, controller }) => {
      return key === want.key && state === 'waiting' && way !== 'poll' && !controller.signal.aborted;
    });
    if (want.way !== 'poll') expect(overtaken.map(({ way }) => way)).toEqual([]);
  }
}

describe('keys in memory that many want in all ways', () => {
  it('have one holder at a time, and the next in line as soon as it is over, however it ends', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const step = fc.record({
      what: fc.constantFrom('want', 'want', 'want', 'end', 'abort', 'pass'),
      key: fc.constantFrom('a', 'b'),
      way: fc.constantFrom(...WAYS),
      ttl: fc.constantFrom(5, 20, 100, 1_000),
      ms: fc.integer({ min: 1, max: 60 }),
      number: fc.nat(20),
    });
    const check = fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const crowd = new Crowd();
      for (const { what, key, way, ttl, ms, number } of steps) {
        if (what === 'want') crowd.want(key, way, ttl, ms);
        else if (what === 'end') crowd.one('held', number)?.end();
        else if (what === 'abort') crowd.abort(number);
        else await jest.advanceTimersByTimeAsync(ms);
        await crowd.look();
      }
      await crowd.finish();
    });
    await fc.assert(check, { numRuns: 300 });
    warned.mockRestore();
  });
});

describe('a routine in memory', () => {
  beforeEach(() => {
    jest.useRealTimers();
  });

  it('holds for maxHold after its acquisition, however long it cannot begin', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    const routine = async ({ signal }: lock.Held): Promise<unknown> => {
      await sleep(700);
      return signal.reason;
    };
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const running = factory.run('k', '900ms', routine, { maxHold: '950ms' });
    stall(400);
    expect(await running).toMatchObject({ reason: 'maxHold' });
    warned.mockRestore();
    await factory.close();
  });

  it('is not kept in memory after its end: not by who waits behind it, not by who waited last, not by a hold that ran out', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    const kept = new Parts();
    const holder = await factory.new('k', '1h').lock();
    const abort = new AbortController();
    await (async () => {
      const [first, second, signal] = [kept.part('aborted'), kept.part('last to wait'), new AbortController().signal];
      kept.add('a signal of terms', signal);
      const gone = factory.run('k', '1h', () => first, { signal: abort.signal });
      const behind = factory.run('k', '1h', () => second);
      abort.abort();
      await gone.catch(() => undefined);
      await holder.unlock();
      await behind;
      await factory.new('lapsed', 1, { signal }).lock();
    })();
    await kept.collected();
    await factory.close();
  });

  it('is not kept in memory after its end by a key that stays taken, nor by one whose hold it has outlived', async () => {
    const factory = lock.open({ provider: 'go_cache' });
    const kept = new Parts();
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await (async () => {
      const [once, listener, lapsed] = [kept.part('once'), kept.part('its listener'), kept.part('outlived')];
      await factory.once('k', { atMost: '2h', atLeast: '1h' }, ({ signal }) => {
        signal.addEventListener('abort', () => listener);
        return once;
      });
      const outlive = (): object => {
        stall(5);
        return lapsed;
      };
      await factory.run('lapsed', 1, outlive, { renew: false });
    })();
    // It remembers what it was called with.
    warned.mockRestore();
    await kept.collected();
    expect(await factory.tryRun('k', '1s', () => 0)).toEqual({ ran: false });
    await factory.close();
  });
});
