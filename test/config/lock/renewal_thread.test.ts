import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { LockNotHeldError, ProviderError, ProviderUnreachableError } from '../../../src/config/lock/index.js';
import { Lock } from '../../../src/config/lock/lock.js';
import { DEFAULT_LOCK_TERMS, type LockTerms } from '../../../src/config/lock/options.js';
import type { Ask } from '../../../src/config/lock/provider/store.js';
import { Queues } from '../../../src/config/lock/queues.js';
import { FigureBoard } from '../../../src/config/lock/thread/cell.js';
import { Renewer } from '../../../src/config/lock/thread/renewer.js';
import type { ThreadData, WorkerLike } from '../../../src/config/lock/thread/thread.js';
import { Random } from '../../faults/random.js';
import { ScriptedStore } from '../../support/scripted_store.js';

const TTL = 12_000;

/** Two threads in one: what one tells the other arrives when the test lets it. */
class Threads {
  /** Whether the thread that holds reads what it is told: a busy one does not. */
  isBusy = false;
  /** Whether the thread that renews does. */
  isAsleep = false;
  readonly events = new EventEmitter();
  terminated = 0;
  refs = 0;
  #orders: unknown[] = [];
  #reports: unknown[] = [];
  #order: ((order: unknown) => void) | undefined;

  constructor(readonly store: ScriptedStore) {}

  readonly start = ({ board }: ThreadData): WorkerLike => {
    const port = {
      on: (_: string, hear: (order: unknown) => void) => (this.#order = hear),
      postMessage: (report: unknown) => this.#send(this.#reports, report),
    };
    new Renewer(port as never, this.store, new FigureBoard(board));
    return {
      on: (name: string, hear: (value: unknown) => void) => this.events.on(name, hear),
      postMessage: (order: unknown) => this.#send(this.#orders, order),
      ref: () => (this.refs += 1),
      unref: () => (this.refs -= 1),
      terminate: async () => (this.terminated += 1),
    } as unknown as WorkerLike;
  };

  #send(way: unknown[], message: unknown): void {
    way.push(structuredClone(message));
    queueMicrotask(() => this.deliver());
  }

  /** What is on its way arrives, where somebody reads. */
  deliver(): void {
    while (!this.isAsleep && this.#orders.length > 0) this.#order?.(this.#orders.shift());
    while (!this.isBusy && this.#reports.length > 0) this.events.emit('message', this.#reports.shift());
  }
}

/** A store that answers renewals as a test says. */
class RenewedStore extends ScriptedStore {
  readonly renewed: { ask: Ask; ttl: number }[] = [];
  readonly released: Ask[] = [];
  answer: Answer = done;

  override refresh(ask: Ask, ttl: number): Promise<number | undefined> {
    this.renewed.push({ ask, ttl });
    return this.answer(ttl);
  }
  override release(ask?: Ask): Promise<boolean> {
    if (ask) this.released.push(ask);
    return Promise.resolve(true);
  }
}

let threads: Threads;
/** What the thread that renews asks; the thread that holds asks another. */
let theirs: RenewedStore;
let ours: RenewedStore;
let queues: Queues;
let warned: jest.SpiedFunction<typeof process.emitWarning>;

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask'] });
  theirs = new RenewedStore();
  ours = new RenewedStore();
  threads = new Threads(theirs);
  queues = new Queues(ours, { client: { options: {}, nodes: undefined }, options: {} }, threads.start);
  warned = jest.spyOn(process, 'emitWarning').mockReturnValue();
});
afterEach(async () => {
  await queues.close(100);
  warned.mockRestore();
  jest.useRealTimers();
});

const pass = (ms: number): Promise<void> => jest.advanceTimersByTimeAsync(ms);
type Answer = (ttl: number) => Promise<number | undefined>;
const done: Answer = async (ttl) => performance.now() + ttl;
const gone: Answer = async () => undefined;
const never: Answer = () => new Promise<undefined>(() => undefined);
const down: Answer = async () => {
  throw new ProviderUnreachableError('scripted', 5, new Error('no route'));
};
const refused: Answer = async () => {
  throw new ProviderError('lock: redis refused: NOPERM');
};

function made(key = 'k', terms: Partial<LockTerms> = {}): Lock {
  return new Lock(queues, key, TTL, { ...DEFAULT_LOCK_TERMS, renew: true, ...terms });
}
async function held(key = 'k', terms: Partial<LockTerms> = {}): Promise<Lock> {
  const wait = made(key, terms).lock();
  ours.questions.at(-1)!.answer(ours.grant(TTL));
  return wait;
}

describe('renewal from a thread of its own', () => {
  it('carries a hold over what the thread that holds has no time for, which sees it at once', async () => {
    const lock = await held();
    threads.isBusy = true;
    for (let n = 0; n < 10; n += 1) {
      await pass(TTL / 3);
      expect(lock.held).toBe(true);
      expect(lock.remaining()).toBeGreaterThan(TTL / 2);
    }
    expect(theirs.renewed.length).toBeGreaterThanOrEqual(8);
    expect(theirs.renewed[0]).toMatchObject({ ttl: TTL, ask: { key: 'k', value: lock.token } });
    expect(ours.renewed).toEqual([]);
    await lock.unlock();
    threads.deliver();
    theirs.renewed.length = 0;
    await pass(3 * TTL);
    expect(theirs.renewed).toEqual([]);
    expect(theirs.released).toEqual([]);
  });

  it('is one renewal of the lifetime that a refresh gave, asked by the thread that renews', async () => {
    const lock = await held();
    await lock.refresh('24s');
    expect(theirs.renewed.map(({ ttl }) => ttl)).toEqual([24_000]);
    expect(lock.remaining()).toBeGreaterThan(23_990);
    await pass(10_000);
    expect(theirs.renewed.map(({ ttl }) => ttl)).toEqual([24_000, 24_000]);
    await lock.refresh('3s');
    expect(lock.remaining()).toBeLessThanOrEqual(3_000);
    expect(ours.renewed).toEqual([]);
    expect(threads.refs).toBe(-1);
  });

  it('keeps the process alive while a refresh is waited for, and not otherwise', async () => {
    const lock = await held();
    await pass(0);
    const before = threads.refs;
    let answer: (until: number) => void = () => undefined;
    theirs.answer = () => new Promise((resolve) => (answer = resolve));
    const refreshed = lock.refresh();
    await pass(0);
    expect(threads.refs).toBe(before + 1);
    answer(performance.now() + TTL);
    await refreshed;
    expect(threads.refs).toBe(before);
  });

  it('a shorter lifetime that is not answered counts from the moment it was asked', async () => {
    const lock = await held();
    theirs.answer = never;
    lock.refresh('1s').catch(() => undefined);
    await pass(0);
    expect(lock.remaining()).toBeLessThanOrEqual(1_000);
    await pass(1_000);
    expect(lock.held).toBe(false);
  });

  it.each([
    ['unreachable', down, ProviderUnreachableError, /no answer within .* \(no route\)/],
    ['refused', refused, ProviderError, /NOPERM/],
    ['gone', gone, LockNotHeldError, /lock not held/],
  ] as [string, Answer, typeof ProviderError | typeof LockNotHeldError, RegExp][])(
    'tells why a refresh was not done: %s',
    async (_, answer, kind, message) => {
      const lock = await held();
      theirs.answer = answer;
      const failure = await lock.refresh().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(kind);
      expect((failure as Error).message).toMatch(message);
      expect(lock.held).toBe(kind !== LockNotHeldError);
    },
  );

  it('a hold that the provider does not know any more is lost for who is busy, too, in the very next statement', async () => {
    const lock = await held();
    const { signal } = lock;
    const next = made().lock();
    threads.isBusy = true;
    theirs.answer = gone;
    await pass(TTL / 2);
    expect(lock.held).toBe(false);
    expect(signal.reason).toMatchObject({ reason: 'taken' });
    expect(() => lock.assertHeld()).toThrow(/no such hold any more/);
    await expect(lock.unlock()).rejects.toThrow(LockNotHeldError);
    // Who stood behind it has asked.
    await pass(0);
    expect(ours.questions).toHaveLength(2);
    ours.questions[1]!.answer(ours.grant(TTL));
    theirs.answer = done;
    expect((await next).held).toBe(true);
  });

  it('who does not look is told, and who stands behind is served', async () => {
    const lock = await held();
    const { signal } = lock;
    const next = made('k', { renew: false }).lock();
    theirs.answer = gone;
    await pass(TTL / 3 + 1_000);
    expect(ours.questions).toHaveLength(2);
    ours.questions[1]!.answer(ours.grant(TTL));
    expect((await next).held).toBe(true);
    expect(signal.aborted).toBe(true);
  });

  it.each([
    ['unreachable', {}, down],
    ['unreachable', { metadata: 'who' }, down],
    ['maxHold', { maxHold: 2 * TTL }, done],
  ] as [string, Partial<LockTerms>, Answer][])(
    'names the reason %s of a loss, %j, and frees what may have been made longer',
    async (reason, terms, answer) => {
      theirs.answer = answer;
      const lock = await held('k', terms);
      const { signal } = lock;
      await pass(3 * TTL + 1);
      expect(lock.held).toBe(false);
      expect(signal.reason).toMatchObject({ reason });
      await pass(0);
      expect(theirs.released).toHaveLength(1);
    },
  );

  it("leaves a lease under a token of one's own to the thread that holds it, and counts it", async () => {
    const lock = await held('k', { hold: { token: 'mine', metadata: '' } });
    const other = await held('other');
    expect(queues.renewalFigures.leases).toBe(2);
    await pass(3 * TTL);
    expect([lock.held, other.held]).toEqual([true, true]);
    expect(new Set(ours.renewed.map(({ ask }) => ask.key))).toEqual(new Set(['k']));
    expect(new Set(theirs.renewed.map(({ ask }) => ask.key))).toEqual(new Set(['other']));
    await lock.refresh('1h');
    expect(lock.remaining()).toBeGreaterThan(3_000_000);
    await Promise.all([lock.unlock(), other.unlock()]);
    expect(queues.renewalFigures.leases).toBe(0);
  });

  it('a hold that ran out while the thread that renews had no time is lost, and stays so', async () => {
    threads.isAsleep = true;
    const lock = await held();
    await pass(TTL);
    expect(lock.held).toBe(false);
    threads.isAsleep = false;
    threads.deliver();
    await pass(TTL);
    expect(lock.held).toBe(false);
    expect(() => lock.assertHeld()).toThrow(/ran out/);
  });

  it('a renewal that is answered after the unlock changes nothing for the next hold', async () => {
    const first = await held();
    let answer: (until: number | undefined) => void = () => undefined;
    theirs.answer = () => new Promise((resolve) => (answer = resolve));
    await pass(TTL / 2);
    await first.unlock();
    const second = await held();
    answer(undefined);
    await pass(0);
    expect([first.held, second.held]).toEqual([false, true]);
  });

  it('goes on here when its thread fails, and says so once', async () => {
    const lock = await held();
    await lock.refresh('24s');
    theirs.answer = never;
    const asked = lock.refresh().catch((error: unknown) => error);
    await pass(0);
    threads.isAsleep = true;
    threads.events.emit('error', new Error('out of memory'));
    threads.events.emit('exit', 1);
    expect(await asked).toBeInstanceOf(ProviderUnreachableError);
    await pass(20 * TTL);
    expect(lock.held).toBe(true);
    expect(ours.renewed.every(({ ttl }) => ttl === 24_000)).toBe(true);
    const other = await held('other', { maxHold: 5 * TTL });
    await pass(4 * TTL);
    expect(other.held).toBe(true);
    await pass(TTL);
    expect(other.held).toBe(false);
    await lock.refresh('3s');
    expect(ours.renewed.at(-1)!.ttl).toBe(3_000);
    const warning = expect.stringContaining('out of memory');
    expect(warned.mock.calls).toEqual([[warning, { type: 'LockWarning', code: 'LOCK_RENEWAL_THREAD' }]]);
    expect(queues.renewalFigures.leases).toBe(1);
  });

  it('maxHold counts from the grant, also when the thread has ended meanwhile', async () => {
    const lock = await held('k', { maxHold: 2 * TTL });
    await pass(TTL);
    threads.isAsleep = true;
    threads.events.emit('error', new Error('out of memory'));
    await pass(TTL - 100);
    expect(lock.held).toBe(true);
    await pass(100);
    expect(lock.held).toBe(false);
  });

  it('a hold does not go on inside the process: what its thread has asked would find that of the next one', async () => {
    ours.pass = () => ours.grant(TTL);
    const first = await held();
    const next = made().lock();
    await first.unlock();
    await pass(0);
    expect(ours.released).toHaveLength(1);
    ours.questions[1]!.answer(ours.grant(TTL));
    expect((await next).held).toBe(true);
  });

  it('has figures, and ends with its factory', async () => {
    await held('a');
    await held('b');
    await pass(TTL);
    const { leases, rounds, maxLag, leastLeft } = queues.renewalFigures;
    expect([leases, rounds >= 2, maxLag < 2]).toEqual([2, true, true]);
    expect(leastLeft).toBeGreaterThan(0.5);
    expect(leastLeft).toBeLessThan(0.7);
    await queues.close(100);
    expect(threads.terminated).toBe(1);
    expect(ours.released.map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it('a refresh under way when the factory closes is told that the lock is not held, and lets no process end in between', async () => {
    const lock = await held();
    threads.isAsleep = true;
    const refreshed = lock.refresh('1m');
    const outcome = expect(refreshed).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_HELD', cause: { reason: 'closed' } });
    await pass(0);
    const closing = queues.close(100);
    // A worker that is terminated keeps the process alive until it has ended, unless it is let go.
    await outcome;
    await closing;
    expect([threads.terminated, threads.refs]).toEqual([1, 0]);
  });
});

/** A server that has one key: what is asked arrives in order and late, and answers come later still, or never. */
class FarStore extends RenewedStore {
  /** When the key ends there; 0 when it has none. */
  end = 0;
  #arrival = 0;

  constructor(random: Random) {
    super();
    this.answer = (ttl) =>
      new Promise((resolve, reject) => {
        const now = performance.now();
        this.#arrival = Math.max(this.#arrival, now + random.between(0, random.chance(0.1) ? TTL / 2 : 20));
        setTimeout(() => {
          const isThere = this.end > performance.now();
          if (isThere) this.end = performance.now() + ttl;
          const lost = random.chance(0.2);
          setTimeout(
            () =>
              lost ? reject(new ProviderUnreachableError('scripted', 5)) : resolve(isThere ? now + ttl : undefined),
            random.between(0, random.chance(0.1) ? TTL / 2 : 20),
          );
        }, this.#arrival - now);
      });
  }
}

describe('whatever two threads and a network do', () => {
  it('a hold counts as held only while the server has it: 150 seeds', async () => {
    for (let seed = 0; seed < 150; seed += 1) await chaos(seed);
  }, 60_000);

  async function chaos(seed: number): Promise<void> {
    const random = new Random(seed);
    const store = new FarStore(random);
    // Should the thread fail, this one asks the same server.
    ours.answer = store.answer;
    threads = new Threads(store);
    queues = new Queues(ours, { client: { options: {}, nodes: undefined }, options: {} }, threads.start);
    const lock = await held('k', random.chance(0.3) ? { maxHold: 3 * TTL } : {});
    store.end = performance.now() + TTL;
    let wasLost = false;
    for (let step = 0; step < 40; step += 1) {
      if (random.chance(0.1)) threads.isBusy = !threads.isBusy;
      if (random.chance(0.05)) threads.isAsleep = !threads.isAsleep;
      if (random.chance(0.1)) lock.refresh(Math.ceil(random.between(1, 3 * TTL))).catch(() => undefined);
      if (random.chance(0.01)) store.end = 0;
      if (random.chance(0.02)) {
        store.answer = never;
        threads.events.emit('error', new Error('the thread failed'));
      }
      await pass(random.between(0, TTL / 4));
      threads.deliver();
      // What was deleted there is known here with the next answer.
      const isThere = store.end === 0 || store.end > performance.now();
      if (lock.held) expect([seed, isThere, wasLost]).toEqual([seed, true, false]);
      else wasLost = true;
      expect(lock.remaining() > 0).toBe(!wasLost);
    }
    await queues.close(100);
    // The thread of this one ends with it.
    jest.clearAllTimers();
  }
});
