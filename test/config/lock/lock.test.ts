import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { LockFactory } from '../../../src/config/lock/factory.js';
import { LockLostError, LockNotHeldError, ProviderUnreachableError } from '../../../src/config/lock/index.js';
import type { Ask } from '../../../src/config/lock/provider/store.js';
import { ScriptedStore } from '../../support/scripted_store.js';

/** Grants at once; what becomes of refreshes and releases a test says. */
class ObligingStore extends ScriptedStore {
  readonly released: Ask[] = [];
  isClosed = false;

  override obtain() {
    return this.grant(1_000);
  }
  override release(ask?: Ask): Promise<boolean> {
    this.released.push(ask!);
    return Promise.resolve(true);
  }
  override close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

function deferred(): { promise: Promise<void>; done: () => void } {
  let done = (): void => undefined;
  const promise = new Promise<void>((resolve) => (done = resolve));
  return { promise, done: () => done() };
}

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a lock', () => {
  it('does not begin a routine whose lease ran out before it could, and says so', async () => {
    const factory = new LockFactory(new ObligingStore());
    const routine = jest.fn();
    const running = factory.run('k', 1_000, routine);
    jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 1_100);
    await expect(running).rejects.toMatchObject({ code: 'ERR_LOCK_LOST', reason: 'expired' });
    expect(routine).not.toHaveBeenCalled();
  });

  it('tells its signal of the loss that an unlock finds, though another call on it has failed meanwhile', async () => {
    const store = new ObligingStore();
    const factory = new LockFactory(store);
    const held = await factory.new('k', 1_000).lock();
    const { signal } = held;
    let answer: (released: boolean) => void = () => undefined;
    store.release = () => new Promise((resolve) => (answer = resolve));
    const unlocking = held.unlock();
    await expect(held.tryLock({ signal: AbortSignal.abort() })).rejects.toThrow('aborted');
    answer(false);
    await expect(unlocking).rejects.toThrow(LockNotHeldError);
    expect(signal.aborted).toBe(true);
    await factory.close();
  });

  it('that is given back again takes nothing from the next hold under its token, however many keys came between', async () => {
    const store = new ObligingStore();
    const factory = new LockFactory(store);
    const first = await factory.new('k', 60_000, { token: 'mine' }).lock();
    store.release = () => Promise.reject(new ProviderUnreachableError('scripted', 1));
    await expect(first.unlock()).rejects.toBeInstanceOf(ProviderUnreachableError);
    store.release = ObligingStore.prototype.release;
    for (let n = 0; n < 20_000; n += 1) await (await factory.new(`other ${n}`, 60_000).lock()).unlock();
    const next = await factory.new('k', 60_000, { token: 'mine' }).lock();
    store.released.length = 0;
    await first.unlock();
    expect([store.released, next.held]).toEqual([[], true]);
    await factory.close();
  });

  it('whose routine fails as what it waited for was aborted by the loss has told the loss', async () => {
    const store = new ObligingStore();
    const factory = new LockFactory(store);
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    store.refresh = () => Promise.resolve(undefined);
    const running = factory.run('k', 60_000, async ({ signal, lock }) => {
      const waiting = sleep(60_000, undefined, { signal });
      await expect(lock.refresh()).rejects.toBeInstanceOf(LockNotHeldError);
      await waiting;
    });
    await expect(running).rejects.toMatchObject({ name: 'AbortError', cause: expect.any(LockLostError) as unknown });
    expect(warned).not.toHaveBeenCalled();
    await factory.close();
  });

  it('is released by close, for which a second call waits', async () => {
    const store = new ObligingStore();
    const factory = new LockFactory(store);
    const end = deferred();
    store.close = () => end.promise;
    const order: string[] = [];
    const first = factory.close().then(() => order.push('first'));
    const second = factory.close().then(() => order.push('second'));
    await new Promise(setImmediate);
    expect(order).toEqual([]);
    end.done();
    await Promise.all([first, second]);
    expect(order).toEqual(['first', 'second']);
  });

  it('whose key has gone while once kept it is told as lost', async () => {
    const store = new ObligingStore();
    const factory = new LockFactory(store);
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    store.refresh = () => Promise.resolve(undefined);
    const outcome = await factory.once('k', { atMost: 1_000, atLeast: 500 }, () => 'done');
    expect(outcome).toEqual({ ran: true, value: 'done' });
    const warning = expect.objectContaining({ code: 'ERR_LOCK_LOST', cause: expect.any(LockLostError) as unknown });
    expect(warned.mock.calls).toEqual([[warning]]);
    await factory.close();
  });

  it('is released by close, and its store closed, though another throws', async () => {
    const store = new ObligingStore();
    const factory = new LockFactory(store);
    const [runs, ends] = [deferred(), deferred()];
    const kept = factory.once('kept', { atMost: 1_000, atLeast: 500 }, () => {
      runs.done();
      return ends.promise;
    });
    await runs.promise;
    const held = await factory.new('held', 1_000).lock();
    store.refresh = () => {
      throw new Error('a fault of the store');
    };
    jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await expect(factory.close()).rejects.toThrow('a fault of the store');
    expect(store.released.map(({ key }) => key)).toEqual(['held']);
    expect([held.held, store.isClosed]).toEqual([false, true]);
    ends.done();
    await kept;
  });
});
