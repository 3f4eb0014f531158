import type { Milliseconds } from '../../../../duration.js';
import type { Ask, Grant, LockStore, Refusal } from '../store.js';
import { ProviderUnreachableError } from '../../errors.js';
import { Batch } from './batch.js';
import { Call } from './call.js';
import { Connection, type RedisClient } from './connection.js';
import type { Op } from './script.js';

/** How a RedisStore behaves; all times in milliseconds. */
export interface RedisStoreOptions {
  /** Put before every key. */
  readonly prefix?: string;
  /** Within which an operation is answered or fails. */
  readonly limit?: Milliseconds;
  /** The first and the longest pause between two tries of a waiter. */
  readonly pollMin?: Milliseconds;
  readonly pollMax?: Milliseconds;
}

const DEFAULTS: Required<RedisStoreOptions> = { prefix: '', limit: 5_000, pollMin: 25, pollMax: 250 };

/** Drift of two clocks against each other: 2 ms, for the server counts whole milliseconds, and 0.1 % of the ttl. */
const DRIFT: Milliseconds = 2;
const DRIFT_RATE = 0.001;

/** Answers "not yours" on another connection than the question's that are enough to believe it. */
const ENOUGH = 3;

/**
 * Locks on Redis, for every process that shares it. The state of a lock is one string at exactly prefix + key: token, then
 * metadata, with a ttl in milliseconds, which is what Go's mcube v2 writes and reads.
 */
export class RedisStore implements LockStore {
  readonly provider = 'redis';
  /** Below this nothing would be left of a lease once drift and the way there and back are taken off. */
  readonly shortestTtl = 10;
  readonly #connection: Connection;
  readonly #batch: Batch;
  readonly #options: Required<RedisStoreOptions>;
  /** The question of an acquisition that is under way. */
  readonly #questions = new WeakMap<Ask, Call>();
  /** What is being undone in the background. */
  readonly #undoing = new Map<string, { wanted: boolean }>();
  #closed = false;

  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    this.#options = { ...DEFAULTS, ...options };
    this.#connection = new Connection(client);
    this.#batch = new Batch(this.#connection, this.#options.limit);
  }

  deadline(sent: Milliseconds, ttl: Milliseconds): Milliseconds {
    return sent + ttl - DRIFT - ttl * DRIFT_RATE;
  }

  async obtain(ask: Ask): Promise<Grant | Refusal> {
    const sent = performance.now();
    this.#wantAgain(ask);
    const call = this.#call('O', ask, ask.ttl);
    this.#questions.set(ask, call);
    const reply = await call.reply;
    if (Array.isArray(reply)) return { granted: false, asked: call.sent, left: orForever(reply[0] as number) };
    return { granted: true, fence: reply as number, until: this.deadline(sent, ask.ttl) };
  }

  async refresh(ask: Ask, ttl: Milliseconds): Promise<Milliseconds | undefined> {
    const sent = performance.now();
    const reply = await this.#call('X', ask, ttl).reply;
    return reply === 1 ? this.deadline(sent, ttl) : undefined;
  }

  async release(ask: Ask, errand = false): Promise<boolean> {
    const call = this.#call('R', ask, 0, errand);
    const reply = await call.reply;
    return reply === 1 || call.repeated;
  }

  async left(ask: Ask): Promise<Milliseconds> {
    const reply = (await this.#call('P', ask, 0).reply) as number;
    return reply === -3 ? 0 : orForever(reply);
  }

  abandon(ask: Ask): void {
    const question = this.#questions.get(ask);
    if (question?.sent === 0) return question.cancel(new ProviderUnreachableError('redis', 0));
    const id = identity(ask);
    if (this.#undoing.has(id)) return;
    const undoing = { wanted: false };
    this.#undoing.set(id, undoing);
    void this.#undo(ask, undoing).finally(() => {
      if (this.#undoing.get(id) === undoing) this.#undoing.delete(id);
    });
  }

  /** Half of the pause is by chance, so that waiters of many processes do not ask in step; never past the other's end. */
  pause(refusal: Refusal, attempt: number): Milliseconds {
    const { pollMin, pollMax } = this.#options;
    const pause = Math.min(pollMax, pollMin * 2 ** Math.min(attempt - 1, 20));
    return Math.min(refusal.left + 1, pause * (0.75 + Math.random() / 2));
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#batch.close();
  }

  #call(op: Op, ask: Ask, ttl: Milliseconds, errand = false): Call {
    const call = new Call(op, this.#options.prefix + ask.key, ask.value, ttl, errand);
    this.#batch.add(call);
    return call;
  }

  /** The holder of a token of one's own asks anew: what it abandoned before must not be taken from it now. */
  #wantAgain(ask: Ask): void {
    if (this.#undoing.size === 0) return;
    const undoing = this.#undoing.get(identity(ask));
    if (undoing) undoing.wanted = true;
  }

  /**
   * Releases until the server has answered, or the hold cannot be there any more. An answer on a later connection than the
   * question's may overtake it: then it is asked a few times.
   */
  async #undo(ask: Ask, undoing: { wanted: boolean }): Promise<void> {
    const { generation } = this.#connection;
    const end = performance.now() + ask.ttl + this.#options.limit;
    let answers = 0;
    for (
      let pause = 100;
      performance.now() < end && !undoing.wanted && !this.#closed;
      pause = Math.min(pause * 2, 5_000)
    ) {
      try {
        const released = await this.release(ask, true);
        answers += 1;
        if (released || answers >= ENOUGH || this.#connection.generation === generation) return;
      } catch {
        // Not reached: again after the pause, for as long as it can matter.
      }
      await new Promise<void>((resolve) => setTimeout(resolve, pause).unref());
    }
  }
}

function identity(ask: Ask): string {
  return `${ask.key}\n${ask.value}`;
}

/** Redis says -1 for a key that never expires. */
function orForever(pttl: number): Milliseconds {
  return pttl === -1 ? Infinity : Math.max(0, pttl);
}
