import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { Lease } from '../../../src/config/lock/lease.js';
import { LockFactory } from '../../../src/config/lock/factory.js';
import { DEFAULT_LOCK_TERMS } from '../../../src/config/lock/options.js';
import { GoCacheStore } from '../../../src/config/lock/provider/go_cache.js';
import { Queues } from '../../../src/config/lock/queues.js';
import {
  LockLostError,
  LockNotHeldError,
  noRetry,
  ProviderUnreachableError,
  type Lock,
} from '../../../src/config/lock/index.js';
import type { Ask, Asker, Grant, Line, LockStore, Refusal } from '../../../src/config/lock/provider/store.js';
import { Parts } from '../../support/garbage.js';
import { ScriptedStore } from '../../support/scripted_store.js';

const DAY = 86_400_000;

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

describe('a key in memory', () => {
  const lease = (key: string, ttl: number): Lease => new Lease(key, ttl, DEFAULT_LOCK_TERMS.hold);

  it('has no timer unless somebody waits, and none afterwards', async () => {
    const factory = new LockFactory(new GoCacheStore());
    const held = await factory.new('k', '10s').lock();
    expect(jest.getTimerCount()).toBe(0);
    const controller = new AbortController();
    const wait = factory.new('k', '10s').lock({ wait: '5s', signal: controller.signal });
    expect(jest.getTimerCount()).toBe(2);
    controller.abort();
    await expect(wait).rejects.toThrow();
    expect(jest.getTimerCount()).toBe(0);
    await held.unlock();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is forgotten as others come, once it is neither held nor waited for, without a timer past the turn', () => {
    const queues = new Queues(new GoCacheStore());
    const kept = lease('kept', 1_000);
    void queues.acquire(kept, DEFAULT_LOCK_TERMS, undefined);
    for (let n = 0; n < 40_000; n += 1) {
      const held = lease(`passing ${n}`, 1_000);
      void queues.acquire(held, DEFAULT_LOCK_TERMS, undefined);
      held.state = 'releasing';
      void queues.release(held);
    }
    expect(queues.size).toBeLessThanOrEqual(16_400);
    expect(kept.alive(performance.now())).toBe(true);
    expect(() => queues.acquire(lease('kept', 1_000), { ...DEFAULT_LOCK_TERMS, wait: 0 }, undefined)).toThrow();
    jest.advanceTimersByTime(0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('holds that ran out unreleased leave as others come, without a timer past the turn', () => {
    const queues = new Queues(new GoCacheStore());
    const take = (key: string): void => void queues.acquire(lease(key, 10), DEFAULT_LOCK_TERMS, undefined);
    for (let n = 0; n < 20_000; n += 1) take(`old ${n}`);
    expect(queues.size).toBe(20_000);
    jest.advanceTimersByTime(20);
    for (let n = 0; n < 30_000; n += 1) take(`new ${n}`);
    expect(queues.size).toBeLessThanOrEqual(30_002);
    jest.advanceTimersByTime(0);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is waited for as long as was asked, also where that takes several timers', async () => {
    const factory = new LockFactory(new GoCacheStore());
    await factory.new('k', '87000h').lock();
    const wait = factory.new('k', '1s').lock({ wait: 60 * 86_400_000 });
    const ended = expect(wait).rejects.toMatchObject({ waited: 60 * 86_400_000 });
    const settled = jest.fn();
    wait.catch(settled);
    await jest.advanceTimersByTimeAsync(60 * 86_400_000 - 1);
    expect(settled).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    await ended;
  });

  it('is held to the last moment of its ttl and free in the next', async () => {
    const factory = new LockFactory(new GoCacheStore());
    const held = await factory.new('k', 1_000).lock();
    jest.advanceTimersByTime(999);
    expect(held.held).toBe(true);
    await expect(factory.new('k', 1_000).tryLock()).rejects.toThrow('lock: not obtained');
    jest.advanceTimersByTime(1);
    expect(held.held).toBe(false);
    await factory.new('k', 1_000).tryLock();
  });

  it('may be held and waited for longer than one timer of Node can run', async () => {
    const factory = new LockFactory(new GoCacheStore());
    const held = await factory.new('k', 60 * DAY).lock();
    const { signal } = held;
    const waiting = factory.new('k', '1s').lock();
    const impatient = factory.new('k', '1s').lock({ wait: 30 * DAY });
    const over = expect(impatient).rejects.toMatchObject({ waited: 30 * DAY });
    await jest.advanceTimersByTimeAsync(29 * DAY);
    expect([held.held, signal.aborted]).toEqual([true, false]);
    await jest.advanceTimersByTimeAsync(1 * DAY + 1);
    await over;
    await jest.advanceTimersByTimeAsync(30 * DAY);
    expect(signal.aborted).toBe(true);
    expect((await waiting).held).toBe(true);
  });

  it('goes from hand to hand in order, whatever aborts, expires or is refreshed in between (random, against a model)', async () => {
    type Step = { kind: 'lock' | 'try' | 'unlock' | 'abort' | 'pass'; who: number; ms: number };
    const step = fc.record({
      kind: fc.constantFrom<Step['kind']>('lock', 'lock', 'try', 'unlock', 'abort', 'pass'),
      who: fc.nat(5),
      ms: fc.integer({ min: 1, max: 60 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const factory = new LockFactory(new GoCacheStore());
        // The model: who waits, in which order, and who has it until when.
        const line: number[] = [];
        let holder: { who: number; until: number } | undefined;
        let now = 0;
        const settle = (): void => {
          for (;;) {
            if (holder && holder.until > now) return;
            const next = line.shift();
            // The next one starts when the one before ended, or, on a free key, when it came.
            holder = next === undefined ? undefined : { who: next, until: (holder?.until ?? now) + 50 };
            if (!holder) return;
          }
        };
        const people = Array.from({ length: 6 }, () => ({ lock: factory.new('k', 50), abort: new AbortController() }));
        for (const { kind, who, ms } of steps) {
          const person = people[who]!;
          if (kind === 'pass') {
            for (let tick = 0; tick < ms; tick += 1) {
              now += 1;
              await jest.advanceTimersByTimeAsync(1);
              settle();
            }
          } else if (kind === 'lock' && holder?.who !== who && !line.includes(who)) {
            person.abort = new AbortController();
            person.lock.lock({ signal: person.abort.signal }).catch(() => undefined);
            line.push(who);
          } else if (kind === 'try' && holder?.who !== who && !line.includes(who)) {
            const got = await person.lock.tryLock().then(
              () => true,
              () => false,
            );
            expect(got).toBe(!holder && line.length === 0);
            if (got) holder = { who, until: now + 50 };
          } else if (kind === 'unlock') {
            const freed = await person.lock.unlock().then(
              () => true,
              () => false,
            );
            expect(freed).toBe(holder?.who === who);
            if (freed) holder = undefined;
          } else if (kind === 'abort') {
            person.abort.abort();
            if (line.includes(who)) line.splice(line.indexOf(who), 1);
          }
          settle();
          await jest.advanceTimersByTimeAsync(0);
          expect(people.map(({ lock }) => lock.held)).toEqual(people.map((_, at) => holder?.who === at));
        }
        await factory.close();
        expect(jest.getTimerCount()).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('waits under one signal', () => {
  it('end all of them, though the store throws at one, which is told as an error that nobody caught', async () => {
    jest.useRealTimers();
    const { signal, abort } = abortable();
    const bug = new Error('bug in a store');
    const store = new ScriptedStore();
    store.abandon = ({ key }) => {
      if (key === 'k2') throw bug;
    };
    const factory = new LockFactory(store);
    const ended = ['k1', 'k2', 'k3'].map((key) => factory.new(key, 1_000).lock({ signal }));
    const ticks: (() => void)[] = [];
    const tick = jest
      .spyOn(process, 'nextTick')
      .mockImplementation((callback) => void ticks.push(callback as () => void));
    abort();
    tick.mockRestore();
    for (const wait of ended) await expect(wait).rejects.toBe(signal.reason);
    expect(ticks).toHaveLength(1);
    expect(ticks[0]).toThrow(bug);
  });
});

function abortable(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

describe('a key elsewhere', () => {
  let store: ScriptedStore;
  let factory: LockFactory;
  const lock = (wait?: number): Promise<Lock> => factory.new('k', 1_000).lock(wait === undefined ? {} : { wait });
  /** From now on each question stays open until its asker is told, or its line given the key. */
  const told = (): { asker: Asker<Grant | Refusal>; line: Line | undefined }[] => {
    const questions: { asker: Asker<Grant | Refusal>; line: Line | undefined }[] = [];
    store.obtain = (_ask: Ask, _now?: number, line?: Line, asker?: Asker<Grant | Refusal>) => {
      questions.push({ asker: asker!, line });
      return undefined as never;
    };
    return questions;
  };
  const turn = (): Promise<void> => jest.advanceTimersByTimeAsync(0);

  beforeEach(() => {
    store = new ScriptedStore();
    factory = new LockFactory(store);
  });

  it('is asked for by the head of the line alone, one question at a time', async () => {
    const [first, second] = [lock(), lock()];
    expect(store.questions).toHaveLength(1);
    store.questions[0]!.answer(store.grant());
    const held = await first;
    expect(store.questions).toHaveLength(1);
    await held.unlock();
    expect(store.questions).toHaveLength(2);
    store.questions[1]!.answer(store.grant());
    await second;
  });

  it('is asked for again after the pause that the provider advises', async () => {
    const wait = lock();
    store.questions[0]!.answer(store.refuse());
    await jest.advanceTimersByTimeAsync(99);
    expect(store.questions).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(1);
    expect(store.questions).toHaveLength(2);
    store.questions[1]!.answer(store.grant());
    await wait;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('one refusal answers every single try that was there when it was asked for', async () => {
    const tries = [1, 2, 3].map(() => factory.new('k', 1_000).tryLock());
    const settled = Promise.allSettled(tries);
    await jest.advanceTimersByTimeAsync(1);
    store.questions[0]!.answer(store.refuse());
    for (const outcome of await settled) expect(outcome).toMatchObject({ reason: { code: 'ERR_LOCK_NOT_OBTAINED' } });
    expect(store.questions).toHaveLength(1);
  });

  it('a grant that arrives when nobody wants it any more is given back, and the next in line is asked for', async () => {
    const controller = new AbortController();
    const gone = factory.new('k', 1_000).lock({ signal: controller.signal });
    const next = lock();
    controller.abort();
    await expect(gone).rejects.toThrow();
    const [question] = store.questions;
    expect(store.abandoned).toEqual([question!.ask]);
    question!.answer(store.grant());
    await turn();
    expect(store.questions).toHaveLength(2);
    store.questions[1]!.answer(store.grant());
    await next;
  });

  it('is not asked for twice at once by who comes right behind one that gave up', async () => {
    const controller = new AbortController();
    const gone = factory.new('k', 1_000).lock({ signal: controller.signal });
    controller.abort();
    await expect(gone).rejects.toThrow();
    const next = lock();
    expect(store.questions).toHaveLength(1);
    store.questions[0]!.answer(store.grant());
    await turn();
    expect(store.questions).toHaveLength(2);
    store.questions[1]!.answer(store.grant());
    expect((await next).held).toBe(true);
  });

  it('a grant that has run out on its way is not delivered', async () => {
    const wait = lock();
    const stale = store.grant(50);
    await jest.advanceTimersByTimeAsync(60);
    store.questions[0]!.answer(stale);
    await turn();
    expect(store.abandoned).toHaveLength(1);
    store.questions[1]!.answer(store.grant());
    expect((await wait).held).toBe(true);
  });

  it('grants that run out on their way end a single try at once, and a wait after the third: its ttl is too short', async () => {
    const tooShort = { code: 'ERR_LOCK_PROVIDER_UNREACHABLE', message: expect.stringContaining('ttl of 1s') };
    const late = async (at: number): Promise<void> => {
      const stale = store.grant(50);
      await jest.advanceTimersByTimeAsync(60);
      store.questions[at]!.answer(stale);
      await turn();
      expect(store.abandoned).toHaveLength(at + 1);
    };
    const single = expect(factory.new('k', 1_000).tryLock()).rejects.toMatchObject(tooShort);
    await late(0);
    await single;
    const patient = expect(lock()).rejects.toMatchObject(tooShort);
    for (const at of [1, 2, 3]) await late(at);
    await patient;
    const impatient = expect(lock(100)).rejects.toThrow(
      /within 100ms \(the key was granted, but its ttl of 1s was over/,
    );
    await late(4);
    await jest.advanceTimersByTimeAsync(40);
    await impatient;
    store.questions[5]!.answer(store.grant());
    await turn();
    expect(store.questions).toHaveLength(6);
  });

  it('a strategy decides when to ask again after a grant that ran out on its way', async () => {
    const retry = { next: (attempt: number) => (attempt < 2 ? 30 : 0) };
    const wait = expect(factory.new('k', 1_000).lock({ retry })).rejects.toMatchObject({
      code: 'ERR_LOCK_PROVIDER_UNREACHABLE',
    });
    for (const at of [0, 1]) {
      const stale = store.grant(5);
      await jest.advanceTimersByTimeAsync(10);
      store.questions[at]!.answer(stale);
      await jest.advanceTimersByTimeAsync(29);
      expect(store.questions).toHaveLength(1 + at);
      await jest.advanceTimersByTimeAsync(1);
    }
    await wait;
  });

  it('a wait that ends without any answer is told apart from one that was refused', async () => {
    const silent = expect(lock(50)).rejects.toBeInstanceOf(ProviderUnreachableError);
    await jest.advanceTimersByTimeAsync(50);
    await silent;
    store.questions[0]!.answer(store.refuse());
    await turn();
    const refused = expect(lock(50)).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_OBTAINED' });
    store.questions[1]!.answer(store.refuse());
    await jest.advanceTimersByTimeAsync(50);
    await refused;
  });

  it('a single try asks no strategy: it is answered as soon as the question before it is', async () => {
    const next = jest.fn(() => 1);
    const retry = { next };
    const tries = [factory.new('k', 1_000), factory.new('k', 1_000, { retry })].map((one) => one.tryLock());
    tries.push(factory.new('k', 1_000, { retry }).lock({ wait: 0 }));
    const refused = Promise.all(
      tries.map((one) => expect(one).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_OBTAINED' })),
    );
    await jest.advanceTimersByTimeAsync(10);
    expect(next).not.toHaveBeenCalled();
    store.questions[0]!.answer(store.refuse());
    await refused;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('a question that failed is undone once, however often it was asked', async () => {
    const failing = expect(lock()).rejects.toThrow('no answer');
    store.questions[0]!.answer(store.refuse());
    await jest.advanceTimersByTimeAsync(100);
    store.questions[1]!.answer(new ProviderUnreachableError('scripted', 5));
    await failing;
    expect(store.abandoned).toHaveLength(1);
  });

  it('a failure reaches everybody in line, and the key can be asked for again', async () => {
    const settled = Promise.allSettled([lock(), lock(), lock()]);
    store.questions[0]!.answer(new ProviderUnreachableError('scripted', 5));
    for (const outcome of await settled)
      expect(outcome).toMatchObject({ reason: { code: 'ERR_LOCK_PROVIDER_UNREACHABLE' } });
    const again = lock();
    store.questions[1]!.answer(store.grant());
    await again;
  });

  it('a refresh that is answered after the deadline does not revive the lease, and what it lengthened is undone', async () => {
    const wait = lock();
    store.questions[0]!.answer(store.grant(100));
    const held = await wait;
    let answer: (until: number) => void = () => undefined;
    store.refresh = () => new Promise((resolve) => (answer = resolve));
    const refreshing = expect(held.refresh('60s')).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_HELD' });
    await jest.advanceTimersByTimeAsync(150);
    answer(performance.now() + 60_000);
    await refreshing;
    expect(held.held).toBe(false);
    expect(store.abandoned).toHaveLength(1);
  });

  it('a refresh that is answered after the hold has gone to the next holder takes nothing from it', async () => {
    let passes = 0;
    store.pass = (from) => {
      passes += 1;
      return { granted: true, fence: (store.fence += 1), until: from.until };
    };
    const [first, second] = [lock(), lock()];
    store.questions[0]!.answer(store.grant());
    const held = await first;
    let answer: (until: number) => void = () => undefined;
    store.refresh = () => new Promise((resolve) => (answer = resolve));
    const refreshing = expect(held.refresh()).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_HELD' });
    await held.unlock();
    // Not under the same token: the refresh may arrive at any time, and would find it.
    expect(passes).toBe(0);
    store.questions[1]!.answer(store.grant());
    expect((await second).held).toBe(true);
    answer(performance.now() + 1_000);
    await refreshing;
    expect(store.abandoned).toEqual([]);
    expect((await second).held).toBe(true);
  });

  it('two refreshes of one hold go one after the other, and the last one stays', async () => {
    const wait = lock();
    store.questions[0]!.answer(store.grant());
    const held = await wait;
    const asked: { ttl: number; answer: () => void }[] = [];
    store.refresh = (_ask, ttl) =>
      new Promise((resolve) => asked.push({ ttl, answer: () => resolve(performance.now() + ttl) }));
    const both = Promise.all([held.refresh(5_000), held.refresh(500)]);
    await turn();
    expect(asked.map(({ ttl }) => ttl)).toEqual([5_000]);
    asked[0]!.answer();
    await turn();
    expect(asked.map(({ ttl }) => ttl)).toEqual([5_000, 500]);
    asked[1]!.answer();
    await both;
    expect(held.remaining()).toBe(500);
  });

  it('the signal aborts at the deadline of the last refresh', async () => {
    const wait = lock();
    store.questions[0]!.answer(store.grant(100));
    const held = await wait;
    const { signal } = held;
    await jest.advanceTimersByTimeAsync(50);
    await held.refresh(500);
    await jest.advanceTimersByTimeAsync(499);
    expect(signal.aborted).toBe(false);
    const heard = jest.fn();
    signal.addEventListener('abort', heard);
    await jest.advanceTimersByTimeAsync(1);
    expect(heard).toHaveBeenCalledTimes(1);
    expect(signal.reason).toBeInstanceOf(LockLostError);
  });

  it('a store that throws where it should reject fails the unlock, which rejects, and the next in line is asked for', async () => {
    for (const broken of ['release', 'pass'] as const) {
      store = new ScriptedStore();
      factory = new LockFactory(store);
      const [first, second] = [lock(), lock()];
      store.questions[0]!.answer(store.grant());
      const held = await first;
      const bug = new Error('bug in the store');
      store[broken] = () => {
        throw bug;
      };
      await expect(held.unlock()).rejects.toBe(bug);
      expect(held.held).toBe(false);
      expect(store.questions).toHaveLength(2);
      store.questions[1]!.answer(store.grant());
      expect((await second).held).toBe(true);
    }
  });

  it('closing may be given more time than one timer of Node can run', async () => {
    const holding = lock();
    store.questions[0]!.answer(store.grant());
    await holding;
    store.release = () => new Promise((resolve) => setTimeout(() => resolve(true), 500));
    const closed = factory.close('1000h');
    await jest.advanceTimersByTimeAsync(500);
    await closed;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('an answer to a release whose then throws fails the unlock, and a routine ends with its own error all the same', async () => {
    const bug = new Error('bug in the answer');
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    store.release = () => ({
      then: () => {
        throw bug;
      },
    });
    const waiting = lock();
    store.questions[0]!.answer(store.grant());
    await expect((await waiting).unlock()).rejects.toBe(bug);
    const mine = new Error('mine');
    const running = factory.run('other', 1_000, () => Promise.reject(mine));
    store.questions[1]!.answer(store.grant());
    await expect(running).rejects.toBe(mine);
    expect(warned).toHaveBeenCalledTimes(1);
    expect(warned).toHaveBeenCalledWith(expect.objectContaining({ name: 'LockWarning', cause: bug }));
    warned.mockRestore();
  });

  it('what a store throws beside an answer ends nothing: an unlock rejects, a wait ends in its time', async () => {
    const thrown: unknown[] = [];
    const tick = jest.spyOn(process, 'nextTick').mockImplementation((task) => {
      try {
        (task as () => void)();
      } catch (error) {
        thrown.push(error);
      }
    });
    const bug = new Error('bug in the store');
    store.abandon = () => {
      throw bug;
    };
    store.release = () => Promise.reject(new ProviderUnreachableError('scripted', 5));
    const waiting = lock();
    store.questions[0]!.answer(store.grant());
    await expect((await waiting).unlock()).rejects.toBeInstanceOf(ProviderUnreachableError);
    expect(thrown).toEqual([bug]);
    const holding = factory.new('refreshed', 1_000).lock();
    store.questions[1]!.answer(store.grant());
    const held = await holding;
    store.refresh = () => new Promise((resolve) => setTimeout(() => resolve(performance.now() + 1_000), 2_000));
    const refreshed = expect(held.refresh()).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_HELD' });
    await jest.advanceTimersByTimeAsync(2_000);
    await refreshed;
    expect(thrown).toEqual([bug, bug]);
    tick.mockRestore();
    store.abandon = () => undefined;
    (store as LockStore).trouble = () => {
      throw bug;
    };
    const ended = expect(factory.new('other', 1_000).lock({ wait: 50 })).rejects.toMatchObject({ cause: bug });
    await jest.advanceTimersByTimeAsync(50);
    await ended;
  });

  it.each([
    ['undefined', undefined],
    ['"gone"', 'gone'],
  ])(
    'a routine has its value, and its own error, though a store rejects its release with %s',
    async (shown, reason) => {
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- what a store should not do
      store.release = () => Promise.reject(reason);
      const mine = new Error('mine');
      const both = [factory.run('k', 1_000, () => 42), factory.run('other', 1_000, () => Promise.reject(mine))];
      for (const { answer } of store.questions) answer(store.grant());
      expect(await Promise.allSettled(both)).toMatchObject([{ value: 42 }, { reason: mine }]);
      expect(warned).toHaveBeenCalledTimes(2);
      expect(warned).toHaveBeenCalledWith(
        expect.objectContaining({ message: expect.stringContaining(shown) as unknown }),
      );
      warned.mockRestore();
    },
  );

  it('a routine that fails because assertHeld told the loss has told it', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const running = factory.run(
      'k',
      1_000,
      async ({ lock: held }) => {
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        held.assertHeld();
      },
      { renew: false },
    );
    const ended = expect(running).rejects.toBeInstanceOf(LockLostError);
    store.questions[0]!.answer(store.grant());
    await jest.advanceTimersByTimeAsync(2_000);
    await ended;
    expect(warned).not.toHaveBeenCalled();
    warned.mockRestore();
  });

  it('a signal that is first looked at while the unlock is on its way tells the loss that the answer tells', async () => {
    const waiting = lock();
    store.questions[0]!.answer(store.grant());
    const held = await waiting;
    store.release = () => Promise.resolve(false);
    const unlocked = held.unlock();
    const { signal } = held;
    await expect(unlocked).rejects.toMatchObject({ cause: { reason: 'taken' } });
    expect(signal.aborted).toBe(true);
  });

  it('an answer that is told twice is heard once: of one key there is one question at a time', async () => {
    const questions = told();
    const single = factory.new('k', 1_000).tryLock();
    const next = lock();
    questions[0]!.asker.answered(store.refuse());
    await expect(single).rejects.toThrow('not obtained');
    expect(questions).toHaveLength(2);
    questions[0]!.asker.answered(store.refuse());
    const third = lock(50);
    expect(questions).toHaveLength(2);
    questions[1]!.asker.answered(store.grant());
    await (await next).unlock();
    questions[2]!.asker.answered(store.grant());
    await third;
  });

  it('nonsense that is told fails the wait as nonsense that is answered does', async () => {
    const questions = told();
    const waiting = lock();
    questions[0]!.asker.answered(undefined as never);
    await expect(waiting).rejects.toThrow(TypeError);
    const next = lock();
    questions[1]!.asker.answered(store.grant());
    await next;
  });

  it('a failure that is told after an answer concerns no other question', async () => {
    const questions = told();
    const first = lock();
    questions[0]!.asker.answered(store.grant());
    const held = await first;
    const [second, third] = [lock(), lock()];
    await held.unlock();
    expect(questions).toHaveLength(2);
    questions[0]!.asker.failed(new Error('too late'));
    expect(questions).toHaveLength(2);
    questions[1]!.asker.answered(store.grant());
    await (await second).unlock();
    questions[2]!.asker.answered(store.grant());
    await (await third).unlock();
    const resting = lock();
    questions[3]!.asker.answered(store.refuse());
    questions[3]!.asker.failed(new Error('too late'));
    await jest.advanceTimersByTimeAsync(100);
    questions[4]!.asker.answered(store.grant());
    await resting;
  });

  it('a release that is told twice is over with the first', async () => {
    const askers: Asker<boolean>[] = [];
    store.release = (_ask?: Ask, _followed?: boolean, asker?: Asker<boolean>) => {
      askers.push(asker!);
      return undefined as never;
    };
    const waiting = lock();
    store.questions[0]!.answer(store.grant());
    const held = await waiting;
    const unlocking = held.unlock();
    askers[0]!.answered(true);
    askers[0]!.failed(new ProviderUnreachableError('scripted', 1));
    await unlocking;
    expect(store.abandoned).toEqual([]);
    await expect(held.unlock()).rejects.toThrow(LockNotHeldError);
    expect(askers).toHaveLength(1);
  });

  it.each(['in itself', 'while the next in line asks'])('a release that is told %s is over with that', async (when) => {
    const refused = new Error('refused');
    const outcomes: [tell: (asker: Asker<boolean>) => void, error: unknown][] = [
      [(asker) => asker.answered(true), undefined],
      [(asker) => asker.answered(false), expect.any(LockNotHeldError)],
      [(asker) => asker.answered(undefined as never), expect.any(LockNotHeldError)],
      [(asker) => asker.failed(refused), refused],
    ];
    for (const [tell, error] of outcomes) {
      let open: Asker<boolean> | undefined;
      const answer = (): void => {
        if (open) tell(open);
        open = undefined;
      };
      store.obtain = () => {
        answer();
        return store.grant();
      };
      store.release = (_ask?: Ask, _followed?: boolean, asker?: Asker<boolean>) => {
        open = asker;
        if (when === 'in itself') answer();
        return undefined as never;
      };
      const held = await lock();
      const next = lock();
      const unlocked = held.unlock().catch((thrown: unknown) => thrown);
      expect(await Promise.race([unlocked, turn().then(() => 'hangs')])).toEqual(error);
      store.release = () => true;
      await (await next).unlock();
    }
  });

  it('who listened to a lock whose release has failed is not kept in memory by a store that remembers what was asked', async () => {
    jest.useRealTimers();
    const kept = new Parts();
    store.release = () => Promise.reject(new Error('refused'));
    for (const look of ['before', 'after'])
      await (async () => {
        const listener = kept.part(`looked ${look} the release`);
        const waiting = factory.new(look, 60_000).lock();
        store.questions.at(-1)!.answer(store.grant(60_000));
        const held = await waiting;
        if (look === 'before') held.signal.addEventListener('abort', () => listener);
        await expect(held.unlock()).rejects.toThrow('refused');
        if (look === 'after') held.signal.addEventListener('abort', () => listener);
      })();
    await kept.collected();
    expect(store.questions).toHaveLength(2);
  });

  it('an answer to a release that cannot be looked at fails the unlock, and a routine has its value all the same', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    store.release = () => proxy as never;
    const waiting = lock();
    store.questions[0]!.answer(store.grant());
    await expect((await waiting).unlock()).rejects.toThrow(TypeError);
    const running = factory.run('other', 1_000, () => 'value');
    store.questions[1]!.answer(store.grant());
    expect(await running).toBe('value');
    expect(warned).toHaveBeenCalledTimes(1);
    warned.mockRestore();
  });

  it.each([
    ['text', { message: Symbol('odd') }, 'Symbol(odd)', 'ERR_LOCK'],
    ['text, not even as one', { message: Object.create(null) as object }, 'an error without a text', 'ERR_LOCK'],
    ['code', { message: 'odd', code: Symbol('odd') }, 'odd', 'ERR_LOCK'],
    ['cause to look at', Object.defineProperty({ code: 'ERR_ODD' }, 'cause', { get: () => 1n / 0n }), '', 'ERR_ODD'],
  ])('an error that has no %s, of a release, takes no value from its routine', async (_, odd, text, code) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const error = Object.defineProperties(new Error(), Object.getOwnPropertyDescriptors(odd));
    store.release = () => Promise.reject(error);
    const running = factory.run('k', 1_000, () => 'value');
    store.questions[0]!.answer(store.grant());
    expect(await running).toBe('value');
    expect(warned.mock.calls[0]![0]).toMatchObject({ message: expect.stringContaining(text), code, cause: error });
    warned.mockRestore();
  });

  it.each([
    ['takes nothing from the next hold under its token', 'mine', 0],
    ['is undone where the next hold has another', undefined, 1],
  ])('a refresh that is answered after its hold ran out %s', async (_, token, abandoned) => {
    let answer!: (until: number) => void;
    store.refresh = () => new Promise((resolve) => (answer = resolve));
    const take = async (ttl: number): Promise<Lock> => {
      const taking = factory.new('k', ttl, token === undefined ? {} : { token }).lock();
      store.questions.at(-1)!.answer(store.grant(ttl));
      return taking;
    };
    const refreshed = (await take(1_000)).refresh();
    await jest.advanceTimersByTimeAsync(1_000);
    const next = await take(60_000);
    answer(performance.now() + 500);
    await expect(refreshed).rejects.toBeInstanceOf(LockNotHeldError);
    expect(store.abandoned).toHaveLength(abandoned);
    expect(next.held).toBe(true);
  });

  it('a trouble that has no text ends the wait as any other', async () => {
    told();
    (store as LockStore).trouble = () => Object.assign(new Error(), { message: Symbol('odd') });
    const ended = expect(lock(100)).rejects.toThrow('no answer within 100ms (Symbol(odd))');
    await jest.advanceTimersByTimeAsync(100);
    await ended;
    expect(store.abandoned).toHaveLength(1);
  });

  it('a single try is refused by the answer to it, whenever its store says that it was asked', async () => {
    for (const asked of [-1, undefined as never]) {
      let questions = 0;
      store.obtain = () => ((questions += 1) === 1 ? { ...store.refuse(), asked } : store.grant());
      await expect(factory.new('k', 1_000).tryLock()).rejects.toThrow('not obtained');
      expect(questions).toBe(1);
    }
  });

  it('the key that is given without an answer is the answer: the next in line asks after the release', async () => {
    const questions = told();
    const first = lock();
    questions[0]!.line!.grant(store.grant());
    const [held, second] = [await first, lock()];
    await held.unlock();
    expect(questions).toHaveLength(2);
    // It may be answered all the same.
    questions[0]!.asker.failed(new ProviderUnreachableError('scripted', 0));
    expect(questions).toHaveLength(2);
    questions[1]!.asker.answered(store.grant());
    await second;
    expect(store.abandoned).toEqual([]);
  });

  it.each([{ until: NaN }, { until: 'soon' }, { until: undefined }, { fence: 0.5 }, { fence: undefined }])(
    'a grant of nonsense is a lock for nobody: %p',
    async (nonsense) => {
      const absurd = (): Grant => ({ ...store.grant(), ...(nonsense as object) });
      const refusal = `grant.${Object.keys(nonsense)[0]}: found`;
      const answered = lock();
      store.questions[0]!.answer(absurd());
      await expect(answered).rejects.toThrow(refusal);
      const questions = told();
      const given = lock();
      questions[0]!.line!.grant(absurd());
      await expect(given).rejects.toThrow(refusal);
      expect(store.abandoned).toHaveLength(2);
      questions[0]!.asker.failed(new ProviderUnreachableError('scripted', 0));
      const first = lock();
      questions[1]!.asker.answered(store.grant());
      const [held, second] = [await first, lock()];
      store.pass = absurd;
      await expect(held.unlock()).rejects.toThrow(refusal);
      questions[2]!.asker.answered(store.grant());
      await second;
    },
  );

  it.each(['throws', 'answers once more'])(
    'a store that tells an answer at once, and %s, is asked once',
    async (how) => {
      const questions = told();
      const [first, second] = [factory.new('k', 1_000).tryLock(), factory.new('k', 1_000).tryLock()];
      for (const single of [first, second]) single.catch(() => undefined);
      const waiting = lock();
      const later = store.obtain.bind(store);
      store.obtain = (_ask: Ask, _now?: number, _line?: Line, asker?: Asker<Grant | Refusal>) => {
        store.obtain = later;
        asker!.answered(store.refuse());
        if (how === 'throws') throw new Error('after it was answered');
        return store.refuse();
      };
      questions[0]!.asker.answered({ ...store.refuse(), asked: -1 });
      await expect(second).rejects.toThrow('not obtained');
      expect(questions).toHaveLength(2);
      questions[1]!.asker.answered(store.grant());
      await waiting;
    },
  );

  it('a grant that comes too late while a question is open ends that question, not the wait of anybody', async () => {
    const questions = told();
    const [waiting, behind] = [lock(), lock()];
    for (const wait of [waiting, behind]) wait.catch(() => undefined);
    questions[0]!.line!.grant({ ...store.grant(), until: performance.now() });
    expect(store.abandoned).toHaveLength(1);
    questions[0]!.asker.failed(new ProviderUnreachableError('scripted', 0));
    expect(questions).toHaveLength(2);
    questions[1]!.asker.answered(store.grant());
    await (await waiting).unlock();
    expect(questions).toHaveLength(3);
    // What was undone may be answered all the same.
    questions[2]!.line!.grant({ ...store.grant(), until: performance.now() });
    questions[2]!.asker.answered(store.grant());
    expect(questions).toHaveLength(4);
    questions[3]!.asker.answered(store.grant());
    await behind;
  });

  it('who is given the key too late, after a refusal, asks again at once', async () => {
    const questions = told();
    const waiting = lock();
    questions[0]!.asker.answered(store.refuse());
    questions[0]!.line!.grant({ ...store.grant(), until: performance.now() });
    expect(store.abandoned).toHaveLength(1);
    expect(questions).toHaveLength(2);
    questions[1]!.asker.answered(store.grant());
    await waiting;
  });

  it('a wait under a strategy that gives up at once ends in its time, also without any answer', async () => {
    const waiting = factory.new('k', 1_000).lock({ wait: 100, retry: noRetry() });
    const ended = expect(waiting).rejects.toThrow(ProviderUnreachableError);
    await jest.advanceTimersByTimeAsync(100);
    await ended;
    expect(store.abandoned).toHaveLength(1);
  });

  it('a pause of a store that is over at once ends no wait: it asks again in the next moment', async () => {
    store.pause = () => 0;
    const waiting = lock();
    store.questions[0]!.answer(store.refuse());
    await jest.advanceTimersByTimeAsync(1);
    expect(store.questions).toHaveLength(2);
    store.questions[1]!.answer(store.grant());
    await waiting;
    expect(store.abandoned).toEqual([]);
  });

  it('whose wait ends by nonsense of the store gets nothing any more: the store is told', async () => {
    store.pause = () => NaN;
    const refused = lock();
    store.questions[0]!.answer(store.refuse());
    await expect(refused).rejects.toThrow('store.pause: found NaN');
    expect(store.abandoned).toHaveLength(1);
    const nonsense = lock();
    store.questions[1]!.answer(undefined as never);
    await expect(nonsense).rejects.toThrow(TypeError);
    expect(store.abandoned).toHaveLength(2);
  });

  it('a wait that is given the key while the store is asked what the trouble is has it', async () => {
    const questions = told();
    const waiting = lock(100);
    Object.assign(store, { trouble: () => questions[0]!.line!.grant(store.grant()) });
    await jest.advanceTimersByTimeAsync(100);
    expect((await waiting).held).toBe(true);
    expect(store.abandoned).toEqual([]);
  });

  it('a release that was answered is not told any more', async () => {
    const askers: Asker<boolean>[] = [];
    store.release = (_ask?: Ask, _followed?: boolean, asker?: Asker<boolean>) => {
      askers.push(asker!);
      return true;
    };
    const waiting = lock();
    store.questions[0]!.answer(store.grant());
    const held = await waiting;
    const { signal } = held;
    await held.unlock();
    askers[0]!.answered(false);
    askers[0]!.failed(new ProviderUnreachableError('scripted', 1));
    await turn();
    expect(signal.aborted).toBe(false);
    expect(store.abandoned).toEqual([]);
  });

  it('nothing renews the lock of once, whatever the locks of its factory do', async () => {
    const renewing = new LockFactory(store, { renew: true });
    store.refresh = jest.fn(store.refresh.bind(store));
    const once = renewing.once('k', { atMost: 900 }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 800));
    });
    store.questions[0]!.answer(store.grant(900));
    await jest.advanceTimersByTimeAsync(800);
    expect(await once).toMatchObject({ ran: true });
    expect(store.refresh).not.toHaveBeenCalled();
    await renewing.close();
  });

  it('a strategy that gives a promise, which fails later, is refused, and nothing is left unheard', async () => {
    const unheard = jest.fn();
    process.on('unhandledRejection', unheard);
    const next = (): never => Promise.reject(new Error('later')) as never;
    const refused = factory.new('k', 1_000).lock({ retry: { next } });
    store.questions[0]!.answer(store.refuse());
    await expect(refused).rejects.toThrow('retry.next: found');
    await nextTurn();
    process.off('unhandledRejection', unheard);
    expect(unheard).not.toHaveBeenCalled();
  });

  it('who has a wait ended twice harms nobody: the first end counts', async () => {
    const unheard = jest.fn();
    process.on('unhandledRejection', unheard);
    const abort = new AbortController();
    const enough = new Error('enough');
    const aborts = (): number => {
      abort.abort(enough);
      throw new Error('a strategy that throws');
    };
    const memory = new LockFactory(new GoCacheStore());
    const held = await memory.new('k', 1_000).lock();
    const aborted = memory.new('k', 1_000).lock({ retry: { next: aborts }, signal: abort.signal });
    await expect(aborted).rejects.toBe(enough);
    const gives = (): number => {
      void held.unlock();
      throw new Error('a strategy that throws');
    };
    const granted = await memory.new('k', 1_000).lock({ retry: { next: gives } });
    expect(granted.held).toBe(true);
    const again = new AbortController();
    Object.assign(store, { trouble: () => again.abort(enough) });
    const unanswered = factory.new('k', 1_000).lock({ wait: 50, signal: again.signal });
    const outcome = expect(unanswered).rejects.toBe(enough);
    await jest.advanceTimersByTimeAsync(50);
    await outcome;
    // What it asked is given up once.
    expect(store.abandoned).toHaveLength(1);
    await nextTurn();
    process.off('unhandledRejection', unheard);
    expect(unheard).not.toHaveBeenCalled();
    await memory.close();
  });

  it('a strategy that has others join and leave the line rests all the same', async () => {
    const asked: number[] = [];
    store.obtain = () => {
      asked.push(performance.now());
      return Promise.resolve(store.refuse());
    };
    const started = performance.now();
    const others: Promise<unknown>[] = [];
    let leaves = new AbortController();
    const next = (attempt: number): number => {
      leaves.abort();
      leaves = new AbortController();
      const { signal } = leaves;
      if (attempt < 3)
        others.push(
          factory
            .new('k', 1_000)
            .lock({ wait: 1_000, signal })
            .catch(() => undefined),
        );
      return attempt < 4 ? 100 : 0;
    };
    const ended = expect(factory.new('k', 1_000).lock({ retry: { next } })).rejects.toThrow('not obtained');
    await jest.advanceTimersByTimeAsync(350);
    await ended;
    expect(asked.slice(0, 4).map((at) => Math.round(at - started))).toEqual([0, 100, 200, 300]);
    await jest.advanceTimersByTimeAsync(2_000);
    await Promise.all(others);
  });

  it.each(['release', 'flush'])(
    'a factory whose store throws in %s is closed all the same, and says so',
    async (method) => {
      const bug = new Error('bug in the store');
      const wait = lock();
      store.questions[0]!.answer(store.grant());
      const held = await wait;
      const waiting = expect(lock()).rejects.toThrow('closed');
      const fault = (): never => {
        throw bug;
      };
      Object.assign(store, { [method]: fault });
      await expect(factory.close()).rejects.toBe(bug);
      await waiting;
      expect(held.held).toBe(false);
    },
  );

  it('nonsense of a store fails the wait, which rejects, and the next in line is asked for', async () => {
    for (const nonsense of [null, Promise.resolve(null)]) {
      const obtain = jest.spyOn(store, 'obtain').mockReturnValueOnce(nonsense as never);
      await expect(lock(50)).rejects.toBeInstanceOf(Error);
      obtain.mockRestore();
      const asked = store.questions.length;
      const next = lock();
      store.questions[asked]!.answer(store.grant());
      await (await next).unlock();
    }
    expect(jest.getTimerCount()).toBe(0);
  });

  it('a promise of a library may give another one, whose answer counts', async () => {
    const later = <T>(value: T) => ({ then: (resolve: (value: T) => void) => void resolve(value) });
    store.release = () => later(later(false)) as never;
    const waiting = lock();
    store.questions[0]!.answer(store.grant());
    await expect((await waiting).unlock()).rejects.toBeInstanceOf(LockNotHeldError);
  });

  it('a promise may be of another realm, or of a library', async () => {
    const later = <T>(value: T) => ({
      then: (resolve: (value: T) => void) => void setTimeout(() => resolve(value), 10),
    });
    jest.spyOn(store, 'obtain').mockReturnValueOnce(later(store.grant()) as never);
    jest.spyOn(store, 'refresh').mockReturnValueOnce(later(performance.now() + 2_000) as never);
    jest.spyOn(store, 'release').mockReturnValueOnce(later(true) as never);
    const waiting = lock();
    await jest.advanceTimersByTimeAsync(10);
    const held = await waiting;
    const refreshed = held.refresh(2_000);
    await jest.advanceTimersByTimeAsync(10);
    await refreshed;
    const released = held.unlock();
    await jest.advanceTimersByTimeAsync(10);
    await released;
    expect(held.held).toBe(false);
  });

  it.each([
    ['undefined', undefined, 'store: found undefined, expected a store of locks; its method deadline is missing'],
    ['an empty object', {}, 'its method deadline is missing'],
    ['one that cannot release', Object.assign(new ScriptedStore(), { release: undefined }), 'its method release'],
    ['one without a name', Object.assign(new ScriptedStore(), { provider: 5 }), 'store.provider: found 5'],
    ['one without a ttl', Object.assign(new ScriptedStore(), { shortestTtl: 0 }), 'store.shortestTtl: found 0'],
  ])('%s is no store', (_title, given, message) => {
    expect(() => new LockFactory(given as never)).toThrow(message);
  });

  it('locks of a factory on a store of your own have the options that it was given', async () => {
    const patient = new LockFactory(store, { wait: 50, metadata: 'ours' });
    const waiting = expect(patient.new('k', 1_000).lock()).rejects.toMatchObject({ waited: 50 });
    expect(store.questions[0]!.ask.value).toMatch(/ours$/);
    store.questions[0]!.answer(store.refuse());
    await jest.advanceTimersByTimeAsync(50);
    await waiting;
    expect(() => new LockFactory(store, { wait: 'soon' })).toThrow('wait: found "soon"');
  });

  it.each([
    ['NaN', Number.NaN],
    ['"100"', '100'],
    ['100n', 100n],
    ['undefined', undefined],
  ])('a strategy that tells no time but %s fails its own wait', async (shown, pause) => {
    const failing = factory.new('k', 1_000).lock({ retry: { next: () => pause as number } });
    store.questions[0]!.answer(store.refuse());
    await expect(failing).rejects.toThrow(`retry.next: found ${shown}, expected milliseconds`);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('a store of one process that closes the locks when the next in line is granted ends each wait once', async () => {
    const own = new GoCacheStore();
    const locks = new LockFactory(own);
    const held = await locks.new('k', 1_000).lock();
    const waits = [locks.run('k', 1_000, () => 1), locks.new('k', 1_000).lock(), locks.run('k', 1_000, () => 1)];
    const ended = Promise.allSettled(waits);
    let closing: Promise<void> | undefined;
    const { obtain } = own;
    jest.spyOn(own, 'obtain').mockImplementation((ask, now) => {
      closing ??= locks.close();
      return obtain.call(own, ask, now);
    });
    await held.unlock();
    for (const outcome of await ended) expect(outcome).toMatchObject({ reason: { code: 'ERR_NOT_READY' } });
    await closing;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('a store of one process that throws when the next in line is granted fails that wait, and the unlock is done', async () => {
    const own = new GoCacheStore();
    const locks = new LockFactory(own);
    const held = await locks.new('k', 1_000).lock();
    const waits = [locks.new('k', 1_000).lock(), locks.run('k', 1_000, () => 1)];
    const bug = new Error('bug in the store');
    const broken = jest.spyOn(own, 'obtain').mockImplementation(() => {
      throw bug;
    });
    await held.unlock();
    for (const wait of waits) await expect(wait).rejects.toBe(bug);
    broken.mockRestore();
    expect(await locks.run('k', 1_000, () => 1)).toBe(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('a strategy that throws fails its own wait alone', async () => {
    const bug = new Error('bug in the strategy');
    const failing = factory.new('k', 1_000).lock({
      retry: {
        next: () => {
          throw bug;
        },
      },
    });
    const next = lock();
    store.questions[0]!.answer(store.refuse());
    await expect(failing).rejects.toBe(bug);
    store.questions[1]!.answer(store.grant());
    await next;
  });
});
