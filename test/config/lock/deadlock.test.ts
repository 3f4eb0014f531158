import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ioc, lock } from 'mcube-lock';

describe('a lock that would wait for itself', () => {
  let locks: lock.LockFactory;
  beforeEach(() => {
    locks = lock.open({ provider: 'go_cache', detectDeadlock: true });
  });
  afterEach(() => locks.close());

  const refused = expect.objectContaining({
    name: 'LockDeadlockError',
    code: 'ERR_LOCK_DEADLOCK',
    key: 'k',
  }) as unknown;

  it('is none where one try is made, by whichever name', async () => {
    await locks.run('k', '10s', async () => {
      const single = locks.new('k', '10s');
      await expect(single.tryLock()).rejects.toThrow(lock.NotObtainedError);
      await expect(single.lock({ wait: 0 })).rejects.toThrow(lock.NotObtainedError);
      await expect(single.lock({ retry: lock.noRetry() })).rejects.toThrow(lock.NotObtainedError);
    });
  });

  it('is found whatever the application makes of stack traces', async () => {
    const { prepareStackTrace } = Error;
    Error.prepareStackTrace = (_, calls) => calls;
    try {
      const error = await locks.run('k', '10s', () =>
        locks
          .new('k', '10s')
          .lock()
          .catch((thrown: unknown) => thrown),
      );
      expect(error).toMatchObject({ code: 'ERR_LOCK_DEADLOCK', takenAt: 'an unknown place' });
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
    }
  });

  it.each(['run', 'tryRun', 'once'] as const)(
    'is refused at once inside %s, and told where the key was taken',
    async (call) => {
      const inside = async (): Promise<string> => {
        await sleep(1);
        const error = await locks
          .new('k', '10s')
          .lock()
          .catch((thrown: unknown) => thrown);
        expect(error).toEqual(refused);
        expect(error).toBeInstanceOf(lock.LockStateError);
        expect((error as lock.LockDeadlockError).takenAt).toMatch(/^at .*takesIt.*deadlock\.test\.ts:\d+:\d+/);
        expect((error as Error).message).toContain((error as lock.LockDeadlockError).takenAt);
        await expect(locks.run('k', '10s', () => 'never')).rejects.toEqual(refused);
        return 'value';
      };
      const takesIt = (): Promise<unknown> =>
        call === 'once' ? locks.once('k', { atMost: '10s' }, inside) : locks[call]('k', '10s', inside);
      expect(await takesIt()).toEqual(call === 'run' ? 'value' : { ran: true, value: 'value' });
      await locks.run('k', '10s', () => undefined);
    },
  );

  it('is refused from inside other routines, and with a limited wait, too', async () => {
    await locks.run('k', '10s', () =>
      locks.run('other', '10s', async () => {
        await expect(locks.new('k', '10s').lock({ wait: '1h' })).rejects.toEqual(refused);
      }),
    );
  });

  it('is refused in every branch that a routine starts', async () => {
    await locks.run('k', '10s', async () => {
      const branches = [1, 2, 3].map(async (n) => {
        await sleep(n);
        return locks.new('k', '10s').lock();
      });
      for (const outcome of await Promise.allSettled(branches)) expect(outcome).toMatchObject({ reason: refused });
    });
  });

  it('a single try is not refused: it does not wait', async () => {
    await locks.run('k', '10s', async () => {
      await expect(locks.new('k', '10s').tryLock()).rejects.toBeInstanceOf(lock.NotObtainedError);
      await expect(locks.new('k', '10s').lock({ wait: 0 })).rejects.toBeInstanceOf(lock.NotObtainedError);
      expect(await locks.tryRun('k', '10s', () => 1)).toEqual({ ran: false });
    });
  });

  it('contexts side by side wait for each other, as they should', async () => {
    const order: number[] = [];
    const one = (n: number): Promise<void> =>
      locks.run('k', '10s', async () => {
        await sleep(1);
        order.push(n);
      });
    await Promise.all([one(1), one(2), one(3)]);
    expect(order).toEqual([1, 2, 3]);
  });

  it('what a routine leaves running is not inside any more once the routine is done', async () => {
    let later: Promise<lock.Lock> | undefined;
    let go: () => void = () => undefined;
    const begin = new Promise<void>((resolve) => (go = resolve));
    await locks.run('k', '10s', () => {
      later = begin.then(() => locks.new('k', '10s').lock());
    });
    const holder = await locks.new('k', '10s').lock();
    go();
    await sleep(1);
    await holder.unlock();
    await (await later!).unlock();
  });

  it('a hold that was given back or lost meanwhile is none', async () => {
    await locks.run('k', '10s', async ({ lock: held }) => {
      await held.unlock();
      await (await locks.new('k', '10s').lock()).unlock();
    });
    await locks
      .tryRun(
        'k',
        30,
        async ({ lock: held }) => {
          await held.refresh(1);
          await sleep(3);
          await (await locks.new('k', '10s').lock()).unlock();
        },
        { renew: false },
      )
      .catch(() => undefined);
  });

  it('neither another key nor the same key of another factory is refused', async () => {
    await using other = lock.open({ provider: 'go_cache', detectDeadlock: true });
    await locks.run('k', '10s', async () => {
      await (await locks.new('j', '10s').lock()).unlock();
      await (await other.new('k', '10s').lock()).unlock();
    });
  });

  it('a hold of plain lock() does not count, for nothing tells where its section ends', async () => {
    const held = await locks.new('k', '10s').lock();
    const waiting = locks.new('k', '10s').lock();
    await held.unlock();
    await (await waiting).unlock();
  });

  it('is asked for by a word of configuration, or for one lock', async () => {
    const container = new ioc.Ioc();
    await container.setup({ values: { lock: { detect_deadlock: true } } });
    const configured = lock.L(container);
    await configured.run('k', '10s', () => expect(configured.new('k', '10s').lock()).rejects.toEqual(refused));
    await container.stop();
    await using plain = lock.open({ provider: 'go_cache' });
    const options = { detectDeadlock: true };
    await plain.run('k', '10s', () => expect(plain.new('k', '10s', options).lock()).rejects.toEqual(refused), options);
  });

  it('is not looked for unless asked: nothing follows contexts then', async () => {
    await using plain = lock.open({ provider: 'go_cache' });
    const spies = (['run', 'getStore', 'enterWith'] as const).map((name) =>
      jest.spyOn(AsyncLocalStorage.prototype, name),
    );
    try {
      await plain.run('k', '10s', () =>
        expect(plain.new('k', '10s').lock({ wait: 20 })).rejects.toBeInstanceOf(lock.NotObtainedError),
      );
      await (await plain.new('k', '10s').lock()).unlock();
      for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });
});
