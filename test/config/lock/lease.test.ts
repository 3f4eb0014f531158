import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { LockFactory } from '../../../src/config/lock/factory.js';
import { LockLostError, ProviderUnreachableError, type Lock, type LossReason } from '../../../src/config/lock/index.js';
import type { Answer, Ask, Grant, Refusal } from '../../../src/config/lock/provider/store.js';
import { ScriptedStore } from '../../support/scripted_store.js';

const TTL = 100;

type Reply = 'renewed' | 'not ours' | 'unknown';
type Step = { kind: 'take' | 'refresh' | 'answer' | 'release' | 'stall' | 'pass' | 'look'; ms: number; reply: Reply };

/** Grants at once; refreshes are answered when a test says so, in the order that they came. */
class AnsweringStore extends ScriptedStore {
  readonly refreshes: { ttl: number; answer: (reply: Reply) => void }[] = [];
  isGone = false;

  override obtain(): Answer<Grant | Refusal> {
    return Promise.resolve(this.grant(TTL));
  }
  override refresh(_ask: Ask, ttl: number): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const answer = (reply: Reply): void => {
        if (reply === 'unknown') reject(new ProviderUnreachableError('scripted', 5));
        // The store speaks of now, which is too late: what counts is when it was asked.
        else resolve(reply === 'renewed' ? performance.now() + ttl : undefined);
      };
      this.refreshes.push({ ttl, answer });
    });
  }
  override left(ask: Ask): Promise<number> {
    return Promise.resolve(this.isGone ? 0 : Math.max(1, ask.until - performance.now()));
  }
}

/** A refresh as the model sees it: of which hold, and when it was sent. */
interface Asked {
  readonly hold: Hold;
  readonly ttl: number;
  sent: number;
}

/** One acquisition as it should be. */
interface Hold {
  until: number;
  state: 'held' | 'released' | LossReason;
  /** The first is on its way, the others wait for their turn. */
  refreshes: Asked[];
}

let stalled = 0;
beforeEach(() => {
  jest.useFakeTimers();
  const now = performance.now.bind(performance);
  stalled = 0;
  // A stall moves the clock, and no timer fires.
  jest.spyOn(performance, 'now').mockImplementation(() => now() + stalled);
});
afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe('the clock of a lease', () => {
  it('is that of a simple model, whatever is granted, refreshed, answered, stalled, released and lost in between', async () => {
    const step = fc.record({
      kind: fc.constantFrom<Step['kind']>(
        'take',
        'take',
        'refresh',
        'answer',
        'answer',
        'release',
        'stall',
        'pass',
        'look',
      ),
      ms: fc.integer({ min: 1, max: 60 }),
      reply: fc.constantFrom<Reply>('renewed', 'renewed', 'renewed', 'unknown', 'not ours'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const store = new AnsweringStore();
        const factory = new LockFactory(store);
        const lock = factory.new('k', TTL);
        const model = new Model();
        let signal = lock.signal;
        for (const { kind, ms, reply } of steps) {
          const now = performance.now();
          if (kind === 'take' && model.hold?.state !== 'held') {
            await lock.tryLock();
            signal = lock.signal;
            model.take(now);
          } else if (kind === 'refresh') {
            lock.refresh(ms * 4).catch(() => undefined);
            model.refresh(now, ms * 4);
          } else if (kind === 'answer') {
            store.refreshes.shift()?.answer(reply);
            model.answer(now, reply);
          } else if (kind === 'release') {
            const released = lock.unlock().then(
              () => true,
              () => false,
            );
            expect(await released).toBe(model.release());
          } else if (kind === 'look') {
            store.isGone = reply === 'not ours';
            await lock.ttlLeft();
            if (store.isGone) model.lose('taken');
          } else if (kind === 'stall') {
            stalled += ms;
          } else {
            jest.advanceTimersByTime(ms);
          }
          await turn();
          model.look(performance.now());
          expect(shown(lock, signal)).toEqual(model.shown(performance.now()));
        }
        await factory.close();
        expect(lock.held).toBe(false);
        expect(jest.getTimerCount()).toBe(0);
      }),
      { numRuns: 3_000 },
    );
  }, 60_000);
});

/** What a lease should be, in a few lines: deadlines and who has passed them. */
class Model {
  hold: Hold | undefined;
  /** Refreshes under way, of earlier holds too, in the order that the store was asked. */
  readonly asked: Asked[] = [];

  take(now: number): void {
    this.hold = { until: now + TTL, state: 'held', refreshes: [] };
  }

  refresh(now: number, ttl: number): void {
    const { hold } = this;
    if (hold?.state !== 'held') return;
    hold.refreshes.push({ hold, ttl, sent: 0 });
    if (hold.refreshes.length === 1) this.#send(hold, now);
  }

  answer(now: number, reply: Reply): void {
    const asked = this.asked.shift();
    if (!asked) return;
    const { hold, sent, ttl } = asked;
    if (hold.state === 'held' && reply === 'not ours') hold.state = 'taken';
    if (hold.state === 'held' && reply === 'renewed') hold.until = Math.max(hold.until, sent + ttl);
    hold.refreshes.shift();
    if (hold.refreshes.length > 0) this.#send(hold, now);
  }

  release(): boolean {
    if (this.hold?.state !== 'held') return false;
    this.hold.state = 'released';
    return true;
  }

  lose(reason: LossReason): void {
    if (this.hold?.state === 'held') this.hold.state = reason;
  }

  look(now: number): void {
    if (this.hold && now >= this.hold.until) this.lose('expired');
  }

  shown(now: number): unknown {
    const state = this.hold?.state ?? 'released';
    const isHeld = state === 'held';
    const lost = isHeld || state === 'released' ? undefined : state;
    return {
      held: isHeld,
      remaining: isHeld ? this.hold!.until - now : 0,
      aborted: lost !== undefined,
      reason: lost,
      assertHeld: isHeld ? 'held' : (lost ?? 'not held'),
    };
  }

  /** Until it is answered, the shorter of both lifetimes counts. What is not held any more is not asked for. */
  #send(hold: Hold, now: number): void {
    if (hold.state !== 'held') return void (hold.refreshes = []);
    const [next] = hold.refreshes;
    next!.sent = now;
    hold.until = Math.min(hold.until, now + next!.ttl);
    this.asked.push(next!);
  }
}

function shown(lock: Lock, signal: AbortSignal): unknown {
  // Looked at in turns, for whoever looks first notices the loss.
  const [remaining, aborted] = [lock.remaining(), signal.aborted];
  let asserted = 'held';
  try {
    lock.assertHeld();
  } catch (error) {
    asserted = error instanceof LockLostError ? error.reason : 'not held';
  }
  const reason = (signal.reason as LockLostError | undefined)?.reason;
  return { held: lock.held, remaining, aborted, reason, assertHeld: asserted };
}

/** Lets go on whatever waits for an answer that is there. */
async function turn(): Promise<void> {
  for (let n = 0; n < 30; n += 1) await Promise.resolve();
}
