import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LockFactory } from '../../../src/config/lock/factory.js';
import { ProviderUnreachableError, type Lock } from '../../../src/config/lock/index.js';
import type { Ask } from '../../../src/config/lock/provider/store.js';
import { ScriptedStore } from '../../support/scripted_store.js';

const DAY = 86_400_000;
const TTL = 12_000;
/** The grid on which leases of that ttl are due: the greatest power of two that is not above a twelfth of it. */
const STEP = 512;

/** A store that writes down what is renewed and when, and answers as a test says. */
class RenewedStore extends ScriptedStore {
  readonly renewed: { ask: Ask; ttl: number; at: number; limit: number | undefined }[] = [];
  answer: (ttl: number) => Promise<number | undefined> = async (ttl) => performance.now() + ttl;

  override refresh(ask: Ask, ttl: number, limit?: number): Promise<number | undefined> {
    this.renewed.push({ ask, ttl, at: performance.now(), limit });
    return this.answer(ttl);
  }
}

let store: RenewedStore;
let factory: LockFactory;
beforeEach(() => {
  jest.useFakeTimers();
  store = new RenewedStore();
  factory = new LockFactory(store);
});
afterEach(async () => {
  await factory.close();
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
const never = (): Promise<never> => new Promise(() => undefined);
const down = (): Promise<never> => Promise.reject(new ProviderUnreachableError('scripted', 5));

async function held(key = 'k', ttl = TTL, options = {}): Promise<Lock> {
  const wait = factory.new(key, ttl, { renew: true, ...options }).lock();
  store.questions.at(-1)!.answer(store.grant(ttl));
  return wait;
}

/** When it was renewed, counted from `start`. */
const times = (start: number): number[] => store.renewed.map(({ at }) => at - start);

describe('renewal', () => {
  it('comes at a third of the ttl, at most one step of the grid later, for as long as it is held, and not after', async () => {
    const start = performance.now();
    const lock = await held();
    await pass(10 * TTL);
    expect(lock.held).toBe(true);
    const gaps = times(start).map((at, n, all) => at - (all[n - 1] ?? 0));
    expect(gaps.length).toBeGreaterThanOrEqual(26);
    for (const gap of gaps) {
      expect(gap).toBeGreaterThanOrEqual(TTL / 3);
      expect(gap).toBeLessThanOrEqual(TTL / 3 + STEP + 1);
    }
    await lock.unlock();
    store.renewed.length = 0;
    await pass(2 * TTL);
    expect(store.renewed).toEqual([]);
  });

  it('of leases that were taken at different moments comes to fall together', async () => {
    const locks: Lock[] = [];
    for (let n = 0; n < 60; n += 1) {
      locks.push(await held(`k ${n}`));
      await pass(137);
    }
    await pass(TTL);
    store.renewed.length = 0;
    await pass(TTL);
    const moments = new Map<number, number>();
    for (const { at } of store.renewed) moments.set(at, (moments.get(at) ?? 0) + 1);
    expect(moments.size).toBeLessThanOrEqual(3);
    expect([...moments.values()].every((together) => together === 60)).toBe(true);
    expect(locks.every((lock) => lock.held)).toBe(true);
  });

  it('leaves a lease alone that has just been taken, and leases with another ttl', async () => {
    await held('a');
    const long = await held('b', 10 * TTL);
    await pass(TTL / 3 - 100);
    await held('c');
    await pass(100 + STEP);
    expect(store.renewed.map(({ ask }) => ask.key)).toEqual(['a']);
    expect(long.held).toBe(true);
  });

  it('that fails comes again after 50, 100, 200 … ms, and the deadline stands: then it is lost as unreachable', async () => {
    const start = performance.now();
    const lock = await held();
    const { signal } = lock;
    store.answer = down;
    await pass(TTL - 1);
    expect([lock.held, signal.aborted]).toEqual([true, false]);
    const [first, ...again] = times(start);
    const pauses = [first!, ...again].map((at, n, all) => at - (all[n - 1] ?? 0)).slice(1);
    expect(pauses.slice(0, 5)).toEqual([50, 100, 200, 400, 800]);
    for (const pause of pauses.slice(5)) expect(pause).toBe(TTL / 12);
    await pass(1);
    expect(signal.reason).toMatchObject({ reason: 'unreachable' });
    expect(() => lock.assertHeld()).toThrow(/did not answer any renewal/);
  });

  it('that succeeds after failures goes on as before', async () => {
    const lock = await held();
    store.answer = down;
    await pass(TTL / 2);
    store.answer = async (ttl) => performance.now() + ttl;
    await pass(2 * TTL);
    expect(lock.held).toBe(true);
    expect(lock.remaining()).toBeGreaterThan(TTL / 2);
  });

  it('that stays without an answer does not block the next one: it is asked again after a sixth of the ttl', async () => {
    const start = performance.now();
    const lock = await held();
    store.answer = never;
    await pass(TTL / 3 + STEP);
    store.answer = async (ttl) => performance.now() + ttl;
    await pass(TTL / 6);
    expect(store.renewed).toHaveLength(2);
    expect(store.renewed.every(({ limit }) => limit === TTL / 6)).toBe(true);
    expect(times(start)[1]! - times(start)[0]!).toBe(TTL / 6);
    await pass(TTL);
    expect(lock.held).toBe(true);
  });

  it('that is never answered at all loses the lock at the deadline, no later', async () => {
    const lock = await held();
    const { signal } = lock;
    store.answer = never;
    await pass(TTL - 1);
    expect(signal.aborted).toBe(false);
    await pass(1);
    expect(signal.reason).toMatchObject({ reason: 'unreachable' });
    expect(store.renewed.length).toBeGreaterThanOrEqual(3);
  });

  it('that is answered late counts from when it was asked, never for more', async () => {
    const lock = await held();
    const answers: ((until: number | undefined) => void)[] = [];
    store.answer = () => new Promise((resolve) => answers.push(resolve));
    await pass(TTL / 3 + STEP + TTL / 6);
    expect(answers).toHaveLength(2);
    // The store tells a deadline that is too late; the one of when it was sent stands.
    answers[0]!(performance.now() + 10 * TTL);
    await pass(0);
    expect(lock.remaining()).toBe(store.renewed[0]!.at + TTL - performance.now());
    answers[1]!(performance.now() + TTL);
    await pass(0);
    expect(lock.remaining()).toBe(store.renewed[1]!.at + TTL - performance.now());
    expect(lock.held).toBe(true);
  });

  it('that is answered late with "not yours" loses the lock, whatever is on its way', async () => {
    const lock = await held();
    const answers: ((until: number | undefined) => void)[] = [];
    store.answer = () => new Promise((resolve) => answers.push(resolve));
    await pass(TTL / 3 + STEP + TTL / 6);
    answers[0]!(undefined);
    await pass(0);
    expect(() => lock.assertHeld()).toThrow(/no such hold/);
    answers[1]!(performance.now() + TTL);
    await pass(TTL);
    expect(lock.held).toBe(false);
    expect(store.renewed).toHaveLength(2);
  });

  it('that is on its way at the unlock, or answered after it, changes nothing', async () => {
    const lock = await held();
    let answer: (until: number | undefined) => void = () => undefined;
    store.answer = () => new Promise((resolve) => (answer = resolve));
    await pass(TTL / 3 + STEP);
    const { signal } = lock;
    await lock.unlock();
    answer(undefined);
    await pass(TTL);
    expect([signal.aborted, lock.held, store.renewed.length]).toEqual([false, false, 1]);
    expect(() => lock.assertHeld()).toThrow('lock: lock not held');
  });

  it('waits for a refresh of the holder, and asks for its lifetime from then on', async () => {
    const lock = await held();
    await pass(TTL / 3 - 100);
    let answer: () => void = () => undefined;
    store.answer = (ttl) => new Promise((resolve) => (answer = () => resolve(performance.now() + ttl)));
    const refreshing = lock.refresh(2 * TTL);
    await pass(100 + STEP);
    expect(store.renewed.map(({ ttl }) => ttl)).toEqual([2 * TTL]);
    store.answer = async (ttl) => performance.now() + ttl;
    answer();
    await refreshing;
    await pass(TTL);
    expect(store.renewed.at(-1)!.ttl).toBe(2 * TTL);
    expect(lock.remaining()).toBeGreaterThan(TTL);
  });

  it('goes on for those behind one that is found to be lost, and for none that is given back for it', async () => {
    const [lost, given, last] = [await held('a'), await held('b', 3 * TTL), await held('c', 3 * TTL)];
    lost.signal.addEventListener('abort', () => void given.unlock());
    // Time passes without a turn of the event loop, so that no timer fires.
    const real = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => real() + 1.2 * TTL);
    await pass(TTL / 3 + STEP);
    expect(lost.signal.reason).toMatchObject({ reason: 'expired' });
    expect(store.renewed.map(({ ask }) => ask.key)).toContain('c');
    expect(last.held).toBe(true);
    const asked = store.renewed.length;
    await pass(TTL);
    expect(store.renewed.slice(asked).map(({ ask }) => ask.key)).not.toContain('b');
    jest.restoreAllMocks();
  });

  it('of a lease that was over before it was asked for is no want of an answer', async () => {
    await held('a', 120);
    const last = await held('b', 120);
    const { signal } = last;
    store.answer = async (ttl) => {
      // The event loop stands still in the middle of a round.
      const later = performance.now() + 200;
      jest.spyOn(performance, 'now').mockReturnValue(later);
      return later + ttl;
    };
    await pass(60);
    expect(store.renewed.map(({ ask }) => ask.key)).toEqual(['a']);
    expect(last.held).toBe(false);
    expect(signal.reason).toMatchObject({ reason: 'expired' });
    jest.mocked(performance.now).mockRestore();
  });

  it('goes on for the others when a store throws where it should not', async () => {
    await held('a', 120, { maxHold: 130 });
    const other = await held('b', 120);
    const bug = new Error('bug in the store');
    store.deadline = () => {
      store.deadline = (sent, ttl) => sent + ttl;
      throw bug;
    };
    await expect(pass(60)).rejects.toBe(bug);
    await pass(600);
    expect(other.held).toBe(true);
    await other.unlock();
  });

  it('ends at maxHold: the lock runs out then, and says why', async () => {
    const start = performance.now();
    const lock = await held('k', TTL, { maxHold: 2 * TTL + 500 });
    const { signal } = lock;
    await pass(2 * TTL + 499);
    expect([lock.held, signal.aborted]).toEqual([true, false]);
    for (const { at, ttl } of store.renewed) expect(at + ttl).toBeLessThanOrEqual(start + 2 * TTL + 500);
    await pass(1);
    expect(signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'maxHold' });
    expect(() => lock.assertHeld()).toThrow(/maxHold/);
    const asked = store.renewed.length;
    await pass(TTL);
    expect(store.renewed).toHaveLength(asked);
  });

  it('never makes a lease shorter that its holder has refreshed beyond maxHold', async () => {
    const lock = await held('k', TTL, { maxHold: 2 * TTL });
    await lock.refresh(5 * TTL);
    await pass(5 * TTL - 1);
    expect(lock.held).toBe(true);
    await pass(1);
    expect(() => lock.assertHeld()).toThrow(/maxHold/);
  });

  it('works for leases longer than one timer of Node can run', async () => {
    const lock = await held('k', 90 * DAY);
    const { signal } = lock;
    await pass(29 * DAY);
    expect(store.renewed).toEqual([]);
    await pass(3 * DAY);
    expect(store.renewed).toHaveLength(1);
    store.answer = never;
    await pass(80 * DAY);
    expect([lock.held, signal.aborted]).toEqual([true, false]);
    await pass(41 * DAY);
    expect(signal.reason).toMatchObject({ reason: 'unreachable' });
  });
});

describe('a loss', () => {
  it('is told at the deadline of a refresh to a shorter life that nobody answers', async () => {
    const lock = await held('k', TTL, { renew: false });
    const heard = jest.fn();
    lock.signal.addEventListener('abort', heard);
    store.answer = never;
    void lock.refresh(1_000).catch(() => undefined);
    await pass(999);
    expect(heard).not.toHaveBeenCalled();
    await pass(1);
    expect(heard).toHaveBeenCalledTimes(1);
  });

  it('ends a wait behind it at that deadline, too', async () => {
    const lock = await held('k', TTL, { renew: false });
    const next = factory.new('k', TTL).lock();
    store.answer = never;
    void lock.refresh(1_000).catch(() => undefined);
    await pass(1_000);
    expect(store.questions).toHaveLength(2);
    store.questions[1]!.answer(store.grant());
    expect((await next).held).toBe(true);
  });
});

describe('the figures of renewal', () => {
  it('are those of nothing before any renewal', () => {
    expect(factory.renewal).toEqual({ leases: 0, rounds: 0, lag: 0, maxLag: 0, leastLeft: 1 });
  });

  it('tell how many leases are renewed, and that rounds are in time', async () => {
    const locks = [await held('a'), await held('b')];
    await pass(2 * TTL);
    const { leases, rounds, lag, maxLag, leastLeft } = factory.renewal;
    expect(leases).toBe(2);
    // A timer of Node is late by a millisecond at most when nothing hinders it.
    expect(Math.max(lag, maxLag)).toBeLessThan(2);
    expect(rounds).toBeGreaterThanOrEqual(5);
    expect(leastLeft).toBeGreaterThan(1 - 1 / 3 - 1 / 12);
    expect(leastLeft).toBeLessThanOrEqual(2 / 3);
    await Promise.all(locks.map((lock) => lock.unlock()));
    expect(factory.renewal.leases).toBe(0);
  });

  it('show a busy event loop as lag, and how close it came', async () => {
    const lock = await held();
    await pass(TTL / 4);
    // Time passes without a turn of the event loop, so that no timer fires.
    const real = performance.now.bind(performance);
    jest.spyOn(performance, 'now').mockImplementation(() => real() + TTL / 2);
    await pass(TTL / 6);
    const { lag, maxLag, leastLeft } = factory.renewal;
    expect(lag).toBeGreaterThan(TTL / 3);
    expect(lag).toBeLessThan(TTL / 2 + 1);
    expect(maxLag).toBe(lag);
    expect(leastLeft).toBeLessThan(1 / 4);
    expect(lock.held).toBe(true);
    await pass(TTL);
    expect(factory.renewal.lag).toBeLessThan(2);
    expect(factory.renewal.maxLag).toBe(maxLag);
    jest.restoreAllMocks();
  });
});
