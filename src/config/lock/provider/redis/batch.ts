import { setTimeout as sleep } from 'node:timers/promises';
import type { Milliseconds } from '../../../../duration.js';
import { ProviderError, ProviderUnreachableError } from '../../errors.js';
import { plain, type Connection } from './connection.js';
import type { Op } from './script.js';
import { FENCE_GUARD, guardOfSlot, slot } from './slots.js';

/** Operations in one call: some 0.3 ms of the server's time, so that its other users are not held up. */
export const BATCH_CAP = 128;

const FIRST_PAUSE: Milliseconds = 20;
const LAST_PAUSE: Milliseconds = 500;

/** One operation on its way. */
class Call {
  /** When it was last sent, on `performance.now()`. */
  sent = 0;
  /** Whether it was sent more than once: then "not yours" may mean that the first one had arrived. */
  repeated = false;
  resolve!: (reply: unknown) => void;
  reject!: (error: Error) => void;
  readonly reply = new Promise<unknown>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });

  constructor(
    readonly op: Op,
    readonly key: string,
    readonly value: string,
    readonly ttl: Milliseconds,
  ) {}
}

/** What became of an operation. */
export interface Reply {
  readonly reply: unknown;
  readonly sent: Milliseconds;
  readonly repeated: boolean;
}

/** Sends all operations of one turn of the event loop as one call, in their order. */
export class Batch {
  #calls: Call[] = [];
  /** Calls in a row that ran out of time. */
  #silent = 0;
  #closed = false;

  /** @param limit milliseconds within which an operation is answered or fails */
  constructor(
    private readonly connection: Connection,
    private readonly limit: Milliseconds,
    private readonly cap = BATCH_CAP,
  ) {}

  /**
   * Runs one operation.
   * @throws {ProviderError} the server refused it
   * @throws {ProviderUnreachableError} no answer within the limit; it is not sent again after that
   */
  async run(op: Op, key: string, value: string, ttl: Milliseconds): Promise<Reply> {
    const call = new Call(op, key, value, ttl);
    if (this.#calls.push(call) === 1) process.nextTick(() => this.#flush());
    return { reply: await call.reply, sent: call.sent, repeated: call.repeated };
  }

  /** Ends what is under way; nothing is asked again. */
  close(): void {
    this.#closed = true;
    this.connection.drop();
  }

  #flush(): void {
    const calls = this.#calls;
    this.#calls = [];
    if (!this.connection.cluster) return this.#parts(FENCE_GUARD, calls);
    const bySlot = new Map<number, Call[]>();
    for (const call of calls) {
      const at = slot(call.key);
      const group = bySlot.get(at);
      if (group) group.push(call);
      else bySlot.set(at, [call]);
    }
    for (const [at, group] of bySlot) this.#parts(guardOfSlot(at), group);
  }

  #parts(guard: string, calls: Call[]): void {
    for (let at = 0; at < calls.length; at += this.cap) void this.#send(guard, calls.slice(at, at + this.cap));
  }

  /** Asks until there is an answer or the time is up; an answer that comes later than that is nobody's. */
  async #send(guard: string, calls: Call[]): Promise<void> {
    const started = performance.now();
    const timeUp = new AbortController();
    const timer = setTimeout(() => {
      timeUp.abort();
      this.#gaveUp(calls, started);
    }, this.limit);
    for (let pause = FIRST_PAUSE; !timeUp.signal.aborted && !this.#closed; pause = Math.min(pause * 2, LAST_PAUSE)) {
      try {
        const replies = await this.#once(guard, calls);
        this.#silent = 0;
        settle(calls, replies);
        break;
      } catch (error) {
        if (isReplyError(error)) {
          for (const call of calls) call.reject(refused(error));
          break;
        }
      }
      await sleep(pause, undefined, { signal: timeUp.signal }).catch(() => undefined);
    }
    clearTimeout(timer);
    if (this.#closed) this.#reject(calls, started);
  }

  #once(guard: string, calls: Call[]): Promise<unknown[]> {
    const now = performance.now();
    const keys = [guard];
    const args: (string | number)[] = [];
    for (const call of calls) {
      call.repeated = call.sent !== 0;
      call.sent = now;
      keys.push(call.key);
      args.push(call.op, call.value, call.ttl);
    }
    return this.connection.run(keys, args);
  }

  #gaveUp(calls: Call[], started: Milliseconds): void {
    this.#reject(calls, started);
    // Once may be a slow server, and the undoing should follow on the same connection; twice is a dead connection.
    this.#silent += 1;
    if (this.#silent >= 2) this.connection.drop();
  }

  #reject(calls: Call[], started: Milliseconds): void {
    const after = performance.now() - started;
    for (const call of calls) call.reject(new ProviderUnreachableError('redis', after, this.connection.lastError));
  }
}

function settle(calls: Call[], replies: unknown[]): void {
  calls.forEach((call, at) => {
    const reply = replies[at];
    if (reply instanceof Error) call.reject(refused(reply));
    else call.resolve(reply);
  });
}

function isReplyError(error: unknown): error is Error {
  return error instanceof Error && error.name === 'ReplyError';
}

function refused(error: Error): ProviderError {
  return new ProviderError(`lock: redis refused: ${error.message}`, { cause: plain(error) });
}
