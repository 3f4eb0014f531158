import { AsyncLocalStorage } from 'node:async_hooks';
import { getEventListeners } from 'node:events';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { lock, NotReadyError } from 'mcube-lock';
import { eventually, stall, undisturbed } from './time.js';

/** One provider, as two participants see it that exclude each other. */
export interface World {
  /** Two factories on the same locks: two processes where the provider serves many, else the same one twice. */
  readonly ours: lock.LockFactory;
  readonly theirs: lock.LockFactory;
  /** Gives back what the world has opened. */
  close(): Promise<void>;
}

let serial = 0;
const newKey = (): string => `key ${(serial += 1)}`;

/** What docs/lock.md promises of locks, the same for every provider. */
export function keepsLockPromises(provider: string, open: () => Promise<World>): void {
  describe(`${provider}: one holder at a time`, () => {
    const world = opened(open);

    it('nine contenders that never unlock get the key in turn, in their order, each after the one before ran out', async () => {
      const key = newKey();
      const taken: { contender: number; from: number; until: number }[] = [];
      const contend = async (contender: number): Promise<void> => {
        const held = await world.ours.new(key, '120ms').lock();
        const now = performance.now();
        taken.push({ contender, from: now, until: now + held.remaining() });
      };
      await Promise.all(Array.from({ length: 9 }, (_, contender) => contend(contender)));
      expect(taken.map(({ contender }) => contender)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
      taken.slice(1).forEach(({ from }, at) => expect(from).toBeGreaterThanOrEqual(taken[at]!.until));
    });

    it('of nine that try at once, one obtains the key and eight see "lock: not obtained"', async () => {
      const key = newKey();
      const tries = Array.from({ length: 9 }, (_, n) => (n % 2 ? world.ours : world.theirs).new(key, '10s').tryLock());
      const outcomes = await Promise.allSettled(tries);
      const refused = outcomes.filter((outcome) => outcome.status === 'rejected');
      expect(refused).toHaveLength(8);
      for (const { reason } of refused) {
        expect(reason).toBeInstanceOf(lock.NotObtainedError);
        expect(reason).toMatchObject({ message: 'lock: not obtained', code: 'ERR_LOCK_NOT_OBTAINED', key });
      }
    });

    it.each([1, 2, 3, 4, 5, 6])('no two holders overlap in a random crowd (seed %i)', async (seed) => {
      const random = generator(seed);
      const keys = [newKey(), newKey()];
      const holders = new Map<string, number>();
      const fences = new Map<string, bigint>();
      const worker = async (n: number): Promise<void> => {
        for (let round = 0; round < 12; round += 1) {
          const key = keys[Math.floor(random() * keys.length)]!;
          const locker = (n % 2 ? world.ours : world.theirs).new(key, '5s');
          const how = random();
          const got =
            how < 0.3
              ? locker.tryLock()
              : how < 0.5
                ? locker.lock({ wait: 1 + Math.floor(random() * 20) })
                : locker.lock();
          // A wait of a millisecond may be over before the provider's first answer, which is told apart.
          const held = await got.catch((error: lock.ProviderError) =>
            expect(['ERR_LOCK_NOT_OBTAINED', 'ERR_LOCK_PROVIDER_UNREACHABLE']).toContain(error.code),
          );
          if (!held) continue;
          expect(holders.get(key) ?? 0).toBe(0);
          holders.set(key, 1);
          expect(held.fence).toBeGreaterThan(fences.get(key) ?? 0n);
          fences.set(key, held.fence!);
          if (random() < 0.7) await sleep(Math.floor(random() * 3));
          expect(held.held).toBe(true);
          holders.set(key, 0);
          await held.unlock();
        }
      };
      await Promise.all(Array.from({ length: 8 }, (_, n) => worker(n)));
    });

    it('a stale owner can neither unlock nor refresh, and changes nothing', async () => {
      const key = newKey();
      const stale = await world.ours.new(key, '60ms').lock();
      const next = await world.theirs.new(key, '10s').lock({ wait: '2s' });
      const before = await next.ttlLeft();
      for (const late of [
        () => stale.unlock(),
        () => stale.unLock(),
        () => stale.refresh(),
        () => stale.refresh('1h'),
      ]) {
        await expect(late()).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_HELD', message: 'lock: lock not held', key });
        await expect(late()).rejects.toBeInstanceOf(lock.LockNotHeldError);
      }
      expect(stale.held).toBe(false);
      expect(next.held).toBe(true);
      expect(await next.ttlLeft()).toBeLessThanOrEqual(before);
      await expect(world.ours.new(key, '1s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
      await next.unlock();
    });

    it('those who contend again as soon as they hear of their loss never hold at the same moment', async () => {
      const key = newKey();
      const holders = [world.ours, world.theirs, world.ours, world.ours].map((factory) => factory.new(key, '60ms'));
      const over = new AbortController();
      const atOnce: number[] = [];
      const count = (): void => void atOnce.push(holders.filter(({ held }) => held).length);
      const contend = async (holder: lock.Lock): Promise<void> => {
        await holder.lock({ signal: over.signal });
        count();
        holder.signal.addEventListener('abort', () => void contend(holder).catch(() => undefined));
      };
      for (const holder of holders) void contend(holder).catch(() => undefined);
      for (let at = 0; at < 40; at += 1) {
        await sleep(15);
        // Whoever looks may be the one who finds the loss out.
        if (at % 4 === 0)
          await world.ours
            .new(key, '60ms')
            .tryLock()
            .catch(() => undefined);
        if (at % 7 === 0) stall(70);
        count();
      }
      over.abort();
      expect(Math.max(...atOnce)).toBe(1);
    });

    it('an object that is taken again by who hears of its loss is taken once', async () => {
      const holder = await lockFreshly(world.ours.new(newKey(), '100ms'));
      const again: Promise<unknown>[] = [];
      const take = (): void => void again.push(holder.lock({ wait: '2s' }).catch((error: unknown) => error));
      holder.signal.addEventListener('abort', take, { once: true });
      stall(holder.remaining() + 5);
      take();
      await turn();
      expect(await Promise.all(again)).toEqual([holder, expect.any(lock.LockStateError)]);
      await holder.unlock();
    });

    it('only an object that holds can unlock', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      await expect(world.ours.new(key, '10s').unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
      await expect(world.theirs.new(key, '10s').unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
      expect(holder.held).toBe(true);
      await holder.unlock();
      await expect(holder.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
    });

    it('an unlocked key is free at once', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      await holder.unlock();
      const next = await world.theirs.new(key, '10s').tryLock();
      expect(next.held).toBe(true);
      await next.unlock();
    });

    it("a token of one's own does not let a second object of this process in", async () => {
      const key = newKey();
      const first = await world.ours.new(key, '10s', { token: 'mine' }).lock();
      await expect(world.ours.new(key, '10s', { token: 'mine' }).tryLock()).rejects.toBeInstanceOf(
        lock.NotObtainedError,
      );
      expect(first.held).toBe(true);
      await first.unlock();
    });

    it('keys are independent, and a held one stays held however many there are', async () => {
      const first = await world.ours.new(newKey(), '60s').lock();
      const many = await Promise.all(Array.from({ length: 2_000 }, () => world.ours.new(newKey(), '60s').lock()));
      expect(first.held).toBe(true);
      expect(many.every((one) => one.held)).toBe(true);
      await expect(world.theirs.new(first.key, '1s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
      await Promise.all([first, ...many].map((one) => one.unlock()));
    });
  });

  describe(`${provider}: waiting`, () => {
    const world = opened(open);

    it('waiters of one process are served first come, first served', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      const served: number[] = [];
      const waits = Array.from({ length: 20 }, async (_, n) => {
        const held = await world.ours.new(key, '10s').lock();
        served.push(n);
        await held.unlock();
      });
      await holder.unlock();
      await Promise.all(waits);
      expect(served).toEqual(Array.from({ length: 20 }, (_, n) => n));
    });

    it('a single try does not overtake those who wait', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      const waiting = world.ours.new(key, '10s').lock();
      const unlocked = holder.unlock();
      await expect(world.ours.new(key, '10s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
      await unlocked;
      await (await waiting).unlock();
    });

    it('a waiter has the key soon after another process unlocks it, long before its ttl ends', async () => {
      const key = newKey();
      const holder = await world.theirs.new(key, '60s').lock();
      const waiting = world.ours.new(key, '10s').lock({ wait: '5s' });
      await sleep(20);
      await holder.unlock();
      await (await waiting).unlock();
    });

    it('a waiter has the key when the hold before its own runs out, be it shorter than the one before that', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '60s').lock();
      const short = world.ours.new(key, '100ms').lock();
      const waiting = world.ours.new(key, '10s').lock({ wait: '5s' });
      await holder.unlock();
      await short;
      await (await waiting).unlock();
    });

    it('an aborted wait rejects with the reason of its signal, leaves no trace and never takes the lock later', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      const controller = new AbortController();
      const given = world.ours.new(key, '10s');
      const wait = given.lock({ signal: controller.signal });
      // For less than the ttl: it need not wait until a hold of nobody runs out.
      const behind = world.ours.new(key, '10s').lock({ wait: '5s' });
      const reason = new Error('changed my mind');
      controller.abort(reason);
      await expect(wait).rejects.toBe(reason);
      await holder.unlock();
      const next = await behind;
      await next.unlock();
      await sleep(30);
      expect(given.held).toBe(false);
      const free = await world.theirs.new(key, '10s').tryLock();
      await free.unlock();
    });

    it('a wait aborted in the moment it asks leaves no trace either', async () => {
      for (let round = 0; round < 20; round += 1) {
        const key = newKey();
        const controller = new AbortController();
        const wait = world.ours.new(key, '10s').lock({ signal: controller.signal });
        if (round % 2) await Promise.resolve();
        controller.abort();
        // In this process the key may be there before the abort; then it is ours to give back.
        const held = await wait.catch(() => undefined);
        await held?.unlock();
        await eventually(async () => (await world.theirs.new(key, '10s').tryLock()).unlock());
      }
    });

    it('a signal that is aborted already is refused before anything is asked', async () => {
      const key = newKey();
      const reason = new Error('too late');
      for (const call of ['lock', 'tryLock'] as const) {
        await expect(world.ours.new(key, '10s')[call]({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
      }
      await (await world.ours.new(key, '10s').tryLock()).unlock();
    });

    it('a wait whose signal aborts has nothing of what another listener of that signal gives back', async () => {
      const key = newKey();
      const shutdown = new AbortController();
      const [held, next] = [world.ours.new(key, '10s'), world.ours.new(key, '10s')];
      const first = await world.ours.new(key, '10s').lock();
      // With this one in between the key goes from hand to hand inside the process.
      const between = held.lock();
      shutdown.signal.addEventListener('abort', () => void held.unlock());
      const wait = next.lock({ signal: shutdown.signal });
      await sleep(20);
      await first.unlock();
      await between;
      const reason = new Error('shutting down');
      shutdown.abort(reason);
      await expect(wait).rejects.toBe(reason);
      expect(next.held).toBe(false);
      await eventually(async () => (await world.theirs.new(key, '10s').tryLock()).unlock());
    });

    it('any number of waits under one signal are one listener on it, of more than ten Node warns, and none afterwards', async () => {
      const key = newKey();
      const { signal } = new AbortController();
      const holder = await world.ours.new(key, '10s').lock();
      const waits = Array.from({ length: 30 }, () => world.ours.new(key, '10s').lock({ signal }));
      for (const wait of waits) wait.catch(() => undefined);
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      await holder.unlock();
      for (const wait of waits) await (await wait).unlock();
      expect(getEventListeners(signal, 'abort')).toEqual([]);
    });

    it('one signal ends thousands of waits for a key, and who stands behind them is served', async () => {
      const key = newKey();
      const controller = new AbortController();
      const holder = await world.ours.new(key, '20s').lock();
      const waits = Array.from({ length: 6_000 }, () => world.ours.new(key, '20s').lock({ signal: controller.signal }));
      const outcomes = Promise.allSettled(waits);
      const behind = world.ours.new(key, '20s').lock();
      controller.abort(new Error('enough'));
      expect((await outcomes).every(({ status }) => status === 'rejected')).toBe(true);
      await holder.unlock();
      await (await behind).unlock();
    });

    it('a strategy that ends its own wait is not asked again', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      const controller = new AbortController();
      const enough = new Error('enough');
      let asked = 0;
      const retry = {
        next: (attempt: number): number => {
          asked += 1;
          if (attempt === 2) controller.abort(enough);
          return 10;
        },
      };
      await expect(world.ours.new(key, '10s').lock({ retry, signal: controller.signal })).rejects.toBe(enough);
      await sleep(60);
      expect(asked).toBe(2);
      await holder.unlock();
    });

    it('the wait ends with NotObtainedError when its time is over, whatever the ttl', async () => {
      const key = newKey();
      const holder = await world.theirs.new(key, '30s').lock();
      // Without any answer in that time it would be another error.
      await undisturbed(50, async () => {
        const started = performance.now();
        const error = await world.ours
          .new(key, '60s')
          .lock({ wait: '150ms' })
          .catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(lock.NotObtainedError);
        expect(error).toMatchObject({ message: 'lock: not obtained', key });
        expect(performance.now() - started).toBeGreaterThanOrEqual(149);
        expect((error as lock.NotObtainedError).waited).toBeGreaterThanOrEqual(149);
      });
      await holder.unlock();
    });

    it('a wait may be longer than the ttl', async () => {
      const key = newKey();
      await world.theirs.new(key, '300ms').lock();
      const held = await world.ours.new(key, '50ms').lock({ wait: '5s' });
      expect(held.key).toBe(key);
    });

    it('a wait of 0 is one try', async () => {
      const key = newKey();
      const holder = await world.theirs.new(key, '10s').lock();
      await expect(world.ours.new(key, '10s').lock({ wait: 0 })).rejects.toBeInstanceOf(lock.NotObtainedError);
      await holder.unlock();
      const held = await world.ours.new(key, '10s').lock({ wait: '0s' });
      await held.unlock();
    });

    it('a retry strategy decides how often is tried, and locks may share one', async () => {
      const key = newKey();
      for (const factory of [world.ours, world.theirs]) {
        const holder = await factory.new(key, '10s').lock();
        const asked: number[] = [];
        const retry = { next: (attempt: number) => (asked.push(attempt), attempt <= 3 ? 20 : 0) };
        const tries = [1, 2].map(() => world.ours.new(key, '10s', { retry }).lock());
        const outcomes = await Promise.allSettled(tries);
        for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'ERR_LOCK_NOT_OBTAINED' } });
        expect(asked.sort()).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
        await expect(world.ours.new(key, '10s').lock({ retry: lock.noRetry() })).rejects.toBeInstanceOf(
          lock.NotObtainedError,
        );
        await holder.unlock();
      }
    });

    it('a waiter with a retry strategy gets the key when it is free', async () => {
      const key = newKey();
      const holder = await world.theirs.new(key, '10s').lock();
      const waiting = world.ours.new(key, '10s').lock({ retry: lock.linearBackoff('10ms') });
      await sleep(30);
      await holder.unlock();
      await (await waiting).unlock();
    });
  });

  describe(`${provider}: the lease`, () => {
    const world = opened(open);

    it('is counted from before the request was sent', async () => {
      await (await world.ours.new(newKey(), '10s').lock()).unlock();
      for (let round = 0; round < 5; round += 1) {
        const locking = world.ours.new(newKey(), '10s').lock();
        // What was asked leaves before this; the answer lies unread during the stall.
        await new Promise<void>((resolve) => process.nextTick(resolve));
        const sent = performance.now();
        stall(30);
        const held = await locking;
        expect(performance.now() + held.remaining()).toBeLessThanOrEqual(sent + 10_000);
        expect(held.remaining()).toBeGreaterThan(5_000);
        await held.unlock();
      }
    });

    it('tells key, ttl, token, metadata, fence while held, and nothing of them afterwards', async () => {
      const key = newKey();
      const locker = world.ours.new(key, '1m30s', { metadata: 'who: me' });
      expect(locker).toMatchObject({ key, ttl: 90_000, held: false });
      expect([locker.token, locker.metadata, locker.fence, locker.remaining()]).toEqual([
        undefined,
        undefined,
        undefined,
        0,
      ]);
      expect(await locker.lock()).toBe(locker);
      expect(locker).toMatchObject({ held: true, metadata: 'who: me' });
      expect(locker.token).toMatch(/^[A-Za-z0-9_-]{21}[^AQgw]$/);
      expect(typeof locker.fence).toBe('bigint');
      expect(await locker.ttlLeft()).toBeGreaterThan(80_000);
      await locker.unlock();
      expect([locker.token, locker.metadata, locker.fence, locker.remaining()]).toEqual([
        undefined,
        undefined,
        undefined,
        0,
      ]);
      expect(await locker.ttlLeft()).toBe(0);
    });

    it('each acquisition has a token of its own, or the one that was given', async () => {
      const key = newKey();
      const locker = world.ours.new(key, '10s');
      const tokens = new Set<string>();
      for (let round = 0; round < 5; round += 1) {
        tokens.add((await locker.lock()).token!);
        await locker.unlock();
      }
      expect(tokens.size).toBe(5);
      await locker.withOpt({ token: 'mine', metadata: 'm' }).lock();
      expect([locker.token, locker.metadata]).toEqual(['mine', 'm']);
      await locker.unlock();
    });

    it('refresh uses the ttl it is given: longer, shorter, or that of the lock', async () => {
      const held = await world.ours.new(newKey(), '20s').lock();
      await held.refresh('60s');
      expect(held.remaining()).toBeGreaterThan(50_000);
      expect(await held.ttlLeft()).toBeGreaterThan(50_000);
      await held.refresh(10_000);
      expect(held.remaining()).toBeLessThanOrEqual(10_000);
      expect(await held.ttlLeft()).toBeLessThanOrEqual(10_000);
      await held.refresh();
      expect(held.remaining()).toBeGreaterThan(15_000);
      expect(held.remaining()).toBeLessThanOrEqual(20_000);
      await held.unlock();
    });

    it('a shortened lease ends early for those who wait, too', async () => {
      const key = newKey();
      const held = await world.ours.new(key, '60s').lock();
      const waiting = world.ours.new(key, '10s').lock({ wait: '10s' });
      await held.refresh('1s');
      await (await waiting).unlock();
      expect(held.held).toBe(false);
    });

    it('refresh never brings a lost lock back to life', async () => {
      const key = newKey();
      const held = await world.ours.new(key, '50ms').lock();
      stall(70);
      await expect(held.refresh('10s')).rejects.toBeInstanceOf(lock.LockNotHeldError);
      expect(held.held).toBe(false);
      const next = await world.theirs.new(key, '10s').lock({ wait: '5s' });
      expect(held.held).toBe(false);
      await next.unlock();
    });

    it('after a stall, held, remaining and the signal are right in the very next statement', async () => {
      const held = await lockFreshly(world.ours.new(newKey(), '200ms'));
      const { signal } = held;
      const heard = jest.fn();
      signal.addEventListener('abort', heard);
      expect([held.held, signal.aborted]).toEqual([true, false]);
      stall(held.remaining() + 5);
      expect(signal.aborted).toBe(true);
      expect(held.held).toBe(false);
      expect(held.remaining()).toBe(0);
      expect(signal.reason).toBeInstanceOf(lock.LockLostError);
      expect(signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
      expect(() => signal.throwIfAborted()).toThrow(lock.LockLostError);
      await turn();
      expect(heard).toHaveBeenCalledTimes(1);
    });

    it('assertHeld passes while it is held, and throws what is so in the very next statement after a stall', async () => {
      const held = world.ours.new(newKey(), '200ms');
      const never: unknown = thrownBy(() => held.assertHeld());
      expect(never).toBeInstanceOf(lock.LockNotHeldError);
      expect((never as Error).cause).toBeUndefined();
      await lockFreshly(held);
      held.assertHeld();
      stall(held.remaining() + 5);
      expect(thrownBy(() => held.assertHeld())).toMatchObject({
        code: 'ERR_LOCK_LOST',
        reason: 'expired',
        key: held.key,
      });
      expect(thrownBy(() => held.assertHeld())).toBeInstanceOf(lock.LockLostError);
      expect(held.signal.aborted).toBe(true);
      await expect(held.unlock()).rejects.toMatchObject({ cause: { code: 'ERR_LOCK_LOST', reason: 'expired' } });
      await lockFreshly(held);
      held.assertHeld();
      await held.refresh('10s').catch(() => lockFreshly(held));
      const unlocking = held.unlock();
      expect(thrownBy(() => held.assertHeld())).toBeInstanceOf(lock.LockNotHeldError);
      await unlocking;
      expect(thrownBy(() => held.assertHeld())).toBeInstanceOf(lock.LockNotHeldError);
    });

    it('a signal that is first looked at after the loss, or taken while the lock was waited for, is right as well', async () => {
      const key = newKey();
      const first = await world.ours.new(key, '60ms').lock();
      const next = world.ours.new(key, '400ms');
      const waiting = next.lock();
      const { signal } = next;
      stall(first.remaining() + 5);
      expect(first.signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
      await waiting;
      expect(signal.aborted).toBe(false);
      stall(next.remaining() + 5);
      expect(signal.aborted).toBe(true);
    });

    it('the signal tells an expiry that nobody looks at, at the deadline and not before', async () => {
      const held = await lockFreshly(world.ours.new(newKey(), '200ms'));
      const until = performance.now() + held.remaining();
      const ended = new Promise<number>((resolve) =>
        held.signal.addEventListener('abort', () => resolve(performance.now())),
      );
      await sleep(20);
      const at = await ended;
      expect(at).toBeGreaterThanOrEqual(until);
      expect(held.held).toBe(false);
    });

    it('an unlock does not abort the signal, which serves the next acquisition; a loss does, and the next has a new one', async () => {
      const locker = world.ours.new(newKey(), '1s');
      const { signal } = locker;
      expect(signal.aborted).toBe(false);
      await locker.lock();
      await locker.unlock();
      expect(signal.aborted).toBe(false);
      await locker.lock();
      stall(locker.remaining() + 5);
      expect(signal.aborted).toBe(true);
      await locker.lock({ wait: '5s' });
      expect(locker.signal).not.toBe(signal);
      expect(locker.signal.aborted).toBe(false);
      await locker.unlock();
    });

    it('the wall clock is never used for a duration', async () => {
      const held = await world.ours.new(newKey(), '60s').lock();
      const real = Date.now;
      try {
        for (const jump of [3_600_000, -3_600_000]) {
          Date.now = () => real() + jump;
          expect([held.held, held.signal.aborted]).toEqual([true, false]);
          expect(held.remaining()).toBeGreaterThan(50_000);
          await held.refresh();
        }
      } finally {
        Date.now = real;
      }
      await held.unlock();
    });

    it('the fence grows with each acquisition: after an unlock, an expiry, and from one process to the other', async () => {
      const key = newKey();
      const fences: bigint[] = [];
      for (let round = 0; round < 6; round += 1) {
        const held = await (round % 2 ? world.theirs : world.ours).new(key, '300ms').lock({ wait: '5s' });
        fences.push(held.fence!);
        if (round % 3) await held.unlock().catch(() => undefined);
      }
      fences.slice(1).forEach((fence, at) => expect(fence).toBeGreaterThan(fences[at]!));
    });

    it('renew keeps a lease alive while it is held, maxHold ends that, and an unlock does at once', async () => {
      // A renewal comes at a third of the ttl at the latest: who stands still for longer than the rest loses it.
      await undisturbed(100, async () => {
        const key = newKey();
        const held = await world.ours.new(key, '600ms', { renew: true, maxHold: '1800ms' }).lock();
        await sleep(1_200);
        expect(held.held).toBe(true);
        const next = await world.theirs.new(key, '600ms', { renew: true }).lock({ wait: '10s' });
        expect(held.held).toBe(false);
        await next.unlock();
        await sleep(100);
        await (await world.ours.new(key, '10s').tryLock()).unlock();
      });
    });

    it('a refresh while renew is on changes the lifetime that is renewed', async () => {
      await undisturbed(100, async () => {
        const held = await world.ours.new(newKey(), '500ms', { renew: true }).lock();
        await held.refresh('10s');
        await sleep(700);
        expect(held.remaining()).toBeGreaterThan(9_000);
        await held.unlock();
      });
    });

    it('a refresh that is under way at the unlock leaves nothing to renew', async () => {
      const key = newKey();
      const before = world.ours.renewal.leases;
      await world.ours.run(key, '3s', ({ lock: held }) => void held.refresh().catch(() => undefined));
      const once = await world.ours.new(key, '3s', { renew: true }).lock();
      const late = once.refresh().catch(() => undefined);
      await once.unlock();
      await late;
      expect(world.ours.renewal.leases).toBe(before);
      const again = await world.ours.new(key, '3s', { renew: true }).lock();
      const refresh = again.refresh('5s').catch((error: unknown) => error);
      const unlocked = again.unlock();
      const taken = again.lock();
      expect([undefined, expect.any(lock.LockNotHeldError)]).toContainEqual(await refresh);
      await unlocked;
      await taken;
      expect(world.ours.renewal.leases).toBe(before + 1);
      expect(again.remaining()).toBeLessThanOrEqual(3_000);
      await again.unlock();
      await eventually(() => expect(world.ours.renewal.leases).toBe(before));
    });

    it('renew can be switched off for the next acquisition', async () => {
      await undisturbed(50, async () => {
        const locker = world.ours.new(newKey(), '200ms', { renew: true });
        expect(locker.signal.aborted).toBe(false);
        await (await locker.lock()).unlock();
        await locker.withOpt({ renew: false }).lock();
        await sleep(250);
        expect(locker.held).toBe(false);
      });
    });

    it('without renew the ttl means what it says', async () => {
      const held = await world.ours.new(newKey(), '100ms').lock();
      await sleep(130);
      expect(held.held).toBe(false);
    });
  });

  describe(`${provider}: wrong use`, () => {
    const world = opened(open);

    it('lock on an object that holds already rejects at once, and the hold stays', async () => {
      const held = await world.ours.new(newKey(), '10s').lock();
      for (const call of ['lock', 'tryLock'] as const) {
        await expect(held[call]()).rejects.toBeInstanceOf(lock.LockStateError);
        await expect(held[call]()).rejects.toMatchObject({ code: 'ERR_LOCK_STATE' });
      }
      expect(held.held).toBe(true);
      await held.unlock();
    });

    it('two calls at once on one object: the second rejects at once, the first goes on', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      const locker = world.ours.new(key, '10s');
      const first = locker.lock();
      await expect(locker.lock()).rejects.toBeInstanceOf(lock.LockStateError);
      await expect(locker.tryLock()).rejects.toBeInstanceOf(lock.LockStateError);
      await expect(locker.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
      await holder.unlock();
      expect(await first).toBe(locker);
      const unlocking = locker.unlock();
      await expect(locker.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
      await unlocking;
    });

    it('an object can be used again after an unlock, an expiry and a failed wait', async () => {
      await undisturbed(50, async () => {
        const locker = world.ours.new(newKey(), '200ms');
        await (await locker.lock()).unlock();
        await locker.lock();
        await sleep(220);
        await locker.lock({ wait: '2s' });
        await expect(world.ours.new(locker.key, '1s').lock({ wait: 5 })).rejects.toBeInstanceOf(lock.NotObtainedError);
        await locker.unlock();
      });
    });

    it.each([
      ['empty key', '', '1s', {}],
      ['key that is no text', 42, '1s', {}],
      ['no key', undefined, '1s', {}],
      ['symbol as key', Symbol('k'), '1s', {}],
      ['huge key', 'k'.repeat(65_537), '1s', {}],
      ['key that no UTF-8 can tell', 'k\ud800', '1s', {}],
      ['no ttl', 'k', undefined, {}],
      ['zero ttl', 'k', 0, {}],
      ['negative ttl', 'k', -1, {}],
      ['NaN', 'k', NaN, {}],
      ['infinite ttl', 'k', Infinity, {}],
      ['fractional ttl', 'k', 10.5, {}],
      ['huge ttl', 'k', Number.MAX_SAFE_INTEGER, {}],
      ['huge ttl text', 'k', '99999999h', {}],
      ['ttl without a unit', 'k', '10', {}],
      ['garbage ttl', 'k', 'soon', {}],
      ['empty ttl', 'k', '', {}],
      ['negative ttl text', 'k', '-5s', {}],
      ['bigint ttl', 'k', 10n, {}],
      ['null ttl', 'k', null, {}],
      ['options that are no object', 'k', '1s', 'fast'],
      ['null options', 'k', '1s', null],
      ['unknown option', 'k', '1s', { timeout: 5 }],
      ['garbage wait', 'k', '1s', { wait: 'a while' }],
      ['negative wait', 'k', '1s', { wait: -1 }],
      ['infinite wait', 'k', '1s', { wait: Infinity }],
      ['signal that is none', 'k', '1s', { signal: {} }],
      ['retry that is no strategy', 'k', '1s', { retry: 100 }],
      ['empty token', 'k', '1s', { token: '' }],
      ['token that is no text', 'k', '1s', { token: 7 }],
      ['metadata that is no text', 'k', '1s', { metadata: {} }],
      ['huge metadata', 'k', '1s', { metadata: 'm'.repeat(65_537) }],
      ['renew that is no flag', 'k', '1s', { renew: 'yes' }],
      ['zero maxHold', 'k', '1s', { maxHold: 0 }],
      ['detectDeadlock that is no flag', 'k', '1s', { detectDeadlock: 1 }],
    ] as [string, unknown, unknown, unknown][])(
      '%s is refused with what was found and what would be right',
      (_, key, ttl, options) => {
        const make = (): unknown => world.ours.new(key as string, ttl as string, options as lock.LockOptions);
        expect(make).toThrow(lock.InvalidArgumentError);
        expect(make).toThrow(/found .*, expected /s);
      },
    );

    it('wrong options of a call are refused, and nothing is taken', async () => {
      const key = newKey();
      const locker = world.ours.new(key, '10s');
      await expect(locker.lock({ wait: 'x' })).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      await expect(locker.lock({ token: 'x' } as never)).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      await expect(locker.tryLock(7 as never)).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      await expect(locker.tryLock({ wait: '1s' } as never)).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      // As Go's Lock(ctx).
      await expect(locker.lock(AbortSignal.timeout(9) as never)).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      await expect(locker.refresh('soon')).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      expect(() => locker.withOpt({ metadata: 3 as never })).toThrow(lock.InvalidArgumentError);
      await (await world.theirs.new(key, '10s').tryLock()).unlock();
    });
  });

  describe(`${provider}: scopes`, () => {
    const world = opened(open);

    it('run gives the value of its routine, which has the lock, its fence and its signal', async () => {
      const key = newKey();
      const value = await world.ours.run(key, '10s', async ({ signal, fence, lock: held }) => {
        expect(held.held).toBe(true);
        expect(fence).toBe(held.fence);
        expect(signal).toBe(held.signal);
        await expect(world.theirs.new(key, '1s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
        return 'done';
      });
      expect(value).toBe('done');
      await (await world.theirs.new(key, '10s').tryLock()).unlock();
    });

    it('routines run in the async context of who asked for them, not of who gave the key back', async () => {
      const key = newKey();
      const context = new AsyncLocalStorage<number>();
      const routine = (): number | undefined => context.getStore();
      const seen = [1, 2, 3].map((n) => context.run(n, () => world.ours.run(key, '10s', routine)));
      expect(await Promise.all(seen)).toEqual([1, 2, 3]);
    });

    it('run keeps the lease alive for longer than the ttl', async () => {
      await undisturbed(100, () =>
        world.ours.run(newKey(), '500ms', async ({ lock: held }) => {
          await sleep(1_200);
          expect(held.held).toBe(true);
        }),
      );
    });

    it('run gives the error of its routine and frees the key', async () => {
      const key = newKey();
      const error = new Error('mine');
      const failing = world.ours.run(key, '10s', () => {
        throw error;
      });
      await expect(failing).rejects.toBe(error);
      await (await world.theirs.new(key, '10s').tryLock()).unlock();
    });

    const lose = (held: lock.Lock): void => stall(held.remaining() + 10);

    describe.each(['run', 'tryRun'] as const)('%s', (call) => {
      let warned: jest.SpiedFunction<typeof process.emitWarning>;
      beforeEach(() => {
        warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
      });
      afterEach(() => warned.mockRestore());

      it('gives the value of a routine that lost its lock, and does not pass the loss over: it is the cause of a warning', async () => {
        const done = world.ours[call](newKey(), '200ms', ({ lock: held }) => (lose(held), 'value'), { renew: false });
        expect(await done).toEqual(call === 'run' ? 'value' : { ran: true, value: 'value' });
        const cause = expect.objectContaining({ code: 'ERR_LOCK_LOST', reason: 'expired' }) as unknown;
        const message = expect.stringContaining('not given back') as unknown;
        const warning = expect.objectContaining({
          name: 'LockWarning',
          code: 'ERR_LOCK_LOST',
          message,
          cause,
        }) as unknown;
        expect(warned.mock.calls).toEqual([[warning]]);
      });

      it("gives the routine's own error when the release fails too, which is the cause of a warning", async () => {
        const error = new Error('mine');
        const fail = ({ lock: held }: lock.Held): void => {
          lose(held);
          throw error;
        };
        await expect(world.ours[call](newKey(), '200ms', fail, { renew: false })).rejects.toBe(error);
        expect('cause' in error).toBe(false);
        const cause = expect.objectContaining({ code: 'ERR_LOCK_LOST' }) as unknown;
        expect(warned.mock.calls).toEqual([[expect.objectContaining({ name: 'LockWarning', cause })]]);
      });

      it('tells a loss once to a routine that fails by it', async () => {
        const fail = ({ lock: held, signal }: lock.Held): void => {
          lose(held);
          signal.throwIfAborted();
        };
        const failed = world.ours[call](newKey(), '200ms', fail, { renew: false });
        await expect(failed).rejects.toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
        expect(warned.mock.calls).toEqual([]);
      });

      it('gives its routine what a copy does not have, which the compiler tells, and what a test may make itself', async () => {
        const routine = (held: lock.Held): unknown[] => {
          const copy = { ...held };
          // @ts-expect-error: it is not there
          return [copy.signal, held.signal.aborted];
        };
        const done = await world.ours[call](newKey(), '10s', routine);
        expect(done).toEqual(call === 'run' ? [undefined, false] : { ran: true, value: [undefined, false] });
        const { signal } = new AbortController();
        expect(routine({ signal, fence: 1n, lock: world.ours.new(newKey(), '10s') })).toEqual([signal, false]);
      });

      it('has a signal for a routine that asks for it only after the loss', async () => {
        const look = (held: lock.Held): unknown[] => {
          lose(held.lock);
          return [held.signal.aborted, held.signal.reason, held.signal === held.lock.signal];
        };
        const seen = await world.ours[call](newKey(), '200ms', look, { renew: false });
        const reason = expect.objectContaining({ code: 'ERR_LOCK_LOST', reason: 'expired' }) as unknown;
        expect(seen).toMatchObject(call === 'run' ? [true, reason, true] : { value: [true, reason, true] });
      });

      it('counts maxHold from the start of its routine, however long that is busy at first', async () => {
        await undisturbed(50, async () => {
          const busy = async ({ signal }: lock.Held): Promise<void> => {
            stall(300);
            await sleep(450);
            expect(signal.reason).toMatchObject({ reason: 'maxHold' });
          };
          await world.ours[call](newKey(), '600ms', busy, { maxHold: '650ms' });
        });
      });

      it('has the terms that it was called with, whatever its routine wants for the next hold', async () => {
        const stays = async ({ lock: held }: lock.Held): Promise<boolean> => {
          held.withOpt({ renew: false, maxHold: 1 });
          await sleep(450);
          return held.held;
        };
        const ends = async ({ lock: held }: lock.Held): Promise<boolean> => {
          held.withOpt({ renew: true });
          await sleep(450);
          return held.held;
        };
        await undisturbed(50, async () => {
          const seen = await Promise.all([
            world.ours[call](newKey(), '200ms', stays),
            world.ours[call](newKey(), '200ms', ends, { renew: false }),
          ]);
          expect(seen.map((one) => (typeof one === 'object' && one.ran ? one.value : one))).toEqual([true, false]);
        });
      });

      it('gives its lock back though what its routine gives cannot be looked at', async () => {
        const trap = {
          get then(): never {
            throw new Error('a trap');
          },
        };
        const key = newKey();
        await expect(world.ours[call](key, '10s', () => trap)).rejects.toThrow('a trap');
        await (await world.theirs.new(key, '10s').tryLock()).unlock();
      });

      it('is content with a routine whose own block gives the lock back', async () => {
        const block = async ({ lock: held }: lock.Held): Promise<boolean> => {
          await using mine = held;
          return mine.held;
        };
        const done = await world.ours[call](newKey(), '10s', block);
        expect(done).toEqual(call === 'run' ? true : { ran: true, value: true });
        expect(warned.mock.calls).toEqual([]);
      });

      it('is content with a routine that gave its lock back itself', async () => {
        const key = newKey();
        await world.ours[call](key, '10s', async ({ lock: held }) => {
          await held.unlock();
          await (await world.theirs.new(key, '10s').tryLock()).unlock();
        });
        expect(warned.mock.calls).toEqual([]);
      });
    });

    it('tryRun runs, or tells that it did not', async () => {
      const key = newKey();
      const outcome = await world.ours.tryRun(key, '10s', async () => {
        const other = await world.theirs.tryRun(key, '10s', () => 'never');
        expect(other).toEqual({ ran: false });
        return 7;
      });
      expect(outcome).toEqual({ ran: true, value: 7 });
    });

    it('tryRun refuses what only a wait has: it does not wait', async () => {
      for (const options of [{ wait: '2s' }, { retry: lock.noRetry() }]) {
        const trying = world.ours.tryRun(newKey(), '10s', () => 1, options as never);
        await expect(trying).rejects.toThrow(`options: found "${Object.keys(options)[0]}"`);
      }
      const options = { renew: false, wait: undefined, retry: undefined };
      expect(await world.ours.tryRun(newKey(), '10s', () => 1, options)).toEqual({ ran: true, value: 1 });
    });

    it('a routine whose signal aborts while it waits is not run: that rejects with the reason, at once', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      const abort = new AbortController();
      const routine = jest.fn();
      const ended = world.ours.run(key, '10s', routine, { signal: abort.signal }).catch((error: unknown) => error);
      abort.abort();
      expect(await Promise.race([ended, turn('it still waits')])).toBe(abort.signal.reason);
      await holder.unlock();
      await world.ours.run(key, '10s', () => undefined);
      expect(routine).not.toHaveBeenCalled();
    });

    it('run waits as its strategy says, and has the key in the end, or gives up', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      const polling = world.ours.run(key, '10s', () => 'ran', { retry: lock.linearBackoff('10ms') });
      const thrice = world.ours.run(key, '10s', () => 'never', { retry: lock.limitRetry(lock.linearBackoff(5), 3) });
      setTimeout(() => void holder.unlock(), 100);
      const ended = await Promise.allSettled([polling, thrice]);
      expect(ended).toMatchObject([{ value: 'ran' }, { reason: { code: 'ERR_LOCK_NOT_OBTAINED' } }]);
    });

    it('run takes options, and refuses a routine that is none', async () => {
      const key = newKey();
      const holder = await world.ours.new(key, '10s').lock();
      await expect(world.ours.run(key, '10s', () => 1, { wait: 10 })).rejects.toBeInstanceOf(lock.NotObtainedError);
      await expect(world.ours.run(key, '10s', 'work' as never)).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      for (const options of [5, [], { renews: true }] as never[]) {
        await expect(world.ours.run(key, '10s', () => 1, options)).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      }
      for (const wrong of ['', 42, undefined, 'k\ud800'] as never[]) {
        await expect(world.ours.run(wrong, '10s', () => 1)).rejects.toThrow(/key: found .*, expected well-formed text/);
      }
      await holder.unlock();
    });

    it('await using unlocks at the end of its block, and is content with a lock that was unlocked before', async () => {
      const key = newKey();
      {
        await using held = await world.ours.new(key, '10s').lock();
        expect(held.held).toBe(true);
      }
      {
        await using held = await world.theirs.new(key, '10s').tryLock();
        await held.unlock();
      }
      await (await world.ours.new(key, '10s').tryLock()).unlock();
    });

    it('await using warns whose lock was never asked for, and nobody whose was', async () => {
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
      try {
        const key = newKey();
        {
          await using asked = world.ours.new(key, '10s');
          await asked.tryLock();
        }
        expect(warned).not.toHaveBeenCalled();
        {
          await using forgotten = world.ours.new(key, '10s');
          expect(forgotten.held).toBe(false);
        }
        expect(warned).toHaveBeenCalledTimes(1);
        expect(warned).toHaveBeenCalledWith(expect.stringContaining(`lock "${key}"`), {
          type: 'LockWarning',
          code: 'LOCK_NOT_TAKEN',
        });
      } finally {
        warned.mockRestore();
      }
    });

    it('await using withdraws what is still waited for: it is not taken later, and the next in line has it', async () => {
      const key = newKey();
      const other = await world.theirs.new(key, '10s').lock();
      const waits: Promise<unknown>[] = [];
      {
        await using mine = world.ours.new(key, '10s', { renew: true });
        waits.push(mine.lock().catch((error: unknown) => error));
      }
      expect(await waits[0]).toMatchObject({
        code: 'ERR_LOCK_STATE',
        message: expect.stringContaining('await') as unknown,
      });
      const next = world.ours.new(key, '10s').lock();
      await other.unlock();
      await (await next).unlock();
      expect(world.ours.renewal.leases).toBe(0);
    });

    it('await using withdraws what was asked for and is not answered yet', async () => {
      const key = newKey();
      const asked = world.ours.new(key, '10s');
      const outcome = asked.lock().catch((error: unknown) => error);
      await asked[Symbol.asyncDispose]();
      expect([await outcome, asked.held]).toEqual([expect.anything(), false]);
      const next = await world.theirs.new(key, '10s').lock({ wait: '1s' });
      await next.unlock();
    });

    it('await using tells when the lock was lost', async () => {
      const scope = async (): Promise<void> => {
        await using held = await world.ours.new(newKey(), '30ms').lock();
        stall(held.remaining() + 10);
      };
      await expect(scope()).rejects.toBeInstanceOf(lock.LockNotHeldError);
      await expect(scope()).rejects.toMatchObject({ cause: { code: 'ERR_LOCK_LOST', reason: 'expired' } });
    });

    it('await using keeps the error of its block when the lock was lost, beside that of the release', async () => {
      const error = new Error('mine');
      const scope = async (): Promise<void> => {
        await using held = await world.ours.new(newKey(), '30ms').lock();
        stall(held.remaining() + 10);
        throw error;
      };
      const suppressed = { name: 'SuppressedError', suppressed: error, error: { code: 'ERR_LOCK_NOT_HELD' } };
      await expect(scope()).rejects.toMatchObject(suppressed);
    });
  });

  describe(`${provider}: once`, () => {
    const world = opened(open);

    it('runs on one host and skips on the others', async () => {
      const key = newKey();
      const run = (n: number): Promise<lock.Outcome<number>> =>
        (n % 2 ? world.ours : world.theirs).once(key, { atMost: '10s', atLeast: '5s' }, ({ lock: held }) => {
          held.assertHeld();
          return n;
        });
      const outcomes = await Promise.all([0, 1, 2, 3, 4].map(run));
      expect(outcomes.filter(({ ran }) => ran)).toHaveLength(1);
      expect(outcomes.filter(({ ran }) => !ran)).toEqual(Array.from({ length: 4 }, () => ({ ran: false })));
      expect(await run(9)).toEqual({ ran: false });
    });

    it.each(['succeeds', 'fails'])(
      'keeps the key for atLeast after the start when its routine %s sooner',
      async (how) => {
        await undisturbed(100, async () => {
          const key = newKey();
          const error = new Error('mine');
          let escaped: lock.Held | undefined;
          const start = performance.now();
          const done = world.ours.once(key, { atMost: '60s', atLeast: '500ms' }, (held) => {
            escaped = held;
            if (how === 'fails') throw error;
            return 'value';
          });
          if (how === 'fails') await expect(done).rejects.toBe(error);
          else expect(await done).toEqual({ ran: true, value: 'value' });
          expect(escaped!.lock.held).toBe(false);
          await expect(escaped!.lock.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
          for (const factory of [world.ours, world.theirs]) {
            expect(await factory.once(key, { atMost: '60s' }, () => 'again')).toEqual({ ran: false });
          }
          const next = await world.theirs.new(key, '10s').lock({ wait: '10s' });
          expect(performance.now() - start).toBeGreaterThanOrEqual(499);
          expect(escaped!.signal.aborted).toBe(false);
          await next.unlock();
        });
      },
    );

    it('gives the key back at once when atLeast is over, or not asked for', async () => {
      const key = newKey();
      await world.ours.once(key, { atMost: '60s', atLeast: 20 }, () => stall(50));
      expect(await world.theirs.once(key, { atMost: '60s' }, () => 1)).toEqual({ ran: true, value: 1 });
      expect(await world.ours.once(key, { atMost: '60s' }, () => 2)).toEqual({ ran: true, value: 2 });
    });

    it('holds for atMost and no longer: then the signal aborts, and another may run', async () => {
      const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
      const key = newKey();
      const first = world.ours.once(key, { atMost: '150ms', atLeast: '150ms' }, async ({ signal }) => {
        if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return signal.reason as unknown;
      });
      const outcome = await first;
      expect(outcome).toMatchObject({ ran: true, value: { code: 'ERR_LOCK_LOST', reason: 'expired' } });
      expect(warned).toHaveBeenCalledTimes(1);
      warned.mockRestore();
      await (await world.theirs.new(key, '10s').lock({ wait: '5s' })).unlock();
    });

    it.each([
      ['no times', undefined],
      ['no atMost', { atLeast: 5 }],
      ['atLeast beyond atMost', { atMost: '1s', atLeast: '2s' }],
      ['an unknown word', { atMost: '1s', ttl: 5 }],
      ['a garbage atLeast', { atMost: '1s', atLeast: 'soon' }],
    ])('refuses %s', async (_what, times) => {
      const never = jest.fn();
      await expect(world.ours.once(newKey(), times as never, never)).rejects.toBeInstanceOf(lock.InvalidArgumentError);
      expect(never).not.toHaveBeenCalled();
    });
  });

  describe(`${provider}: closing`, () => {
    it('releases what is held, rejects who waits, tells the holders, and lets nobody in afterwards', async () => {
      const world = await open();
      const [key, other] = [newKey(), newKey()];
      const held = await world.ours.new(key, '60s').lock();
      const { signal } = held;
      const waiting = [1, 2].flatMap(() => [
        world.ours.new(key, '60s').lock(),
        world.ours.run(key, '60s', () => 'never'),
        world.ours.run(key, '60s', () => 'never', { renew: false }),
        world.ours.run(key, '60s', () => 'never', { maxHold: '60s' }),
      ]);
      const settled = Promise.allSettled(waiting);
      await world.ours.close();
      for (const outcome of await settled) expect(outcome).toMatchObject({ reason: { code: 'ERR_NOT_READY' } });
      expect([held.held, signal.aborted]).toEqual([false, true]);
      expect(signal.reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'closed' });
      await expect(held.unlock()).rejects.toBeInstanceOf(lock.LockNotHeldError);
      await expect(held.lock()).rejects.toBeInstanceOf(NotReadyError);
      expect(() => world.ours.new(other, '1s')).toThrow(NotReadyError);
      await world.ours.close();
      if (world.theirs !== world.ours) await (await world.theirs.new(key, '10s').tryLock()).unlock();
      await world.close();
    });

    it('leaves a key of once taken for what is left of atLeast, its routine done or not', async () => {
      await undisturbed(200, async () => {
        const world = await open();
        try {
          await leavesWhatIsLeft(world);
        } finally {
          await world.close();
        }
      });
    });

    const leavesWhatIsLeft = async (world: World): Promise<void> => {
      const [done, running] = [newKey(), newKey()];
      const start = performance.now();
      await world.ours.once(done, { atMost: '60s', atLeast: '800ms' }, () => undefined);
      let begun: () => void;
      const begins = new Promise<void>((resolve) => (begun = resolve));
      const reason = new Promise((resolve) => {
        void world.ours
          .once(running, { atMost: '60s', atLeast: '800ms' }, async ({ signal }) => {
            signal.addEventListener('abort', () => resolve(signal.reason));
            begun();
            await new Promise((ended) => signal.addEventListener('abort', ended));
            signal.throwIfAborted();
          })
          .catch(() => undefined);
      });
      await begins;
      await world.ours.close();
      expect(await reason).toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'closed' });
      if (world.theirs !== world.ours) {
        const again = [done, running].map((key) => world.theirs.once(key, { atMost: '1s' }, () => 1));
        expect(await Promise.all(again)).toEqual([{ ran: false }, { ran: false }]);
        for (const key of [done, running]) {
          await (await world.theirs.new(key, '10s').lock({ wait: '10s' })).unlock();
          expect(performance.now() - start).toBeGreaterThanOrEqual(799);
        }
      }
    };
  });
}

function opened(open: () => Promise<World>): World {
  let world: World;
  beforeAll(async () => {
    world = await open();
  });
  afterAll(async () => {
    await world.close();
  });
  return {
    get ours() {
      return world.ours;
    },
    get theirs() {
      return world.theirs;
    },
    close: () => world.close(),
  };
}

/** Takes it so that most of its ttl is left, though the answer may have been slow. */
async function lockFreshly(locker: lock.Lock): Promise<lock.Lock> {
  for (;;) {
    await locker.lock();
    if (locker.remaining() > locker.ttl / 2) return locker;
    await locker.unlock().catch(() => undefined);
  }
}

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Numbers from 0 to 1 that depend on the seed alone (a linear congruential generator, Numerical Recipes' constants). */
function generator(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 1_664_525 + 1_013_904_223) % 2 ** 32) / 2 ** 32;
}
