import { setTimeout as sleep } from 'node:timers/promises';
import type { Milliseconds } from '../../../../duration.js';
import { ProviderError, ProviderUnreachableError } from '../../errors.js';
import type { Call } from './call.js';
import { isReplyError, plain } from './client.js';
import type { Connection, ScriptCall } from './connection.js';
import { guardOf, lineOf, slot } from './slots.js';

/** Operations in one call: some 0.3 ms of the server's time, so that its other users are not held up. */
export const BATCH_CAP = 128;

const FIRST_PAUSE: Milliseconds = 20;
const LAST_PAUSE: Milliseconds = 500;

/** What a server says that cannot do it now and has done nothing; inside a script, older ones put the line before it. */
const NOT_NOW = /^(?:@?user_script:[^-]*-)?(?:READONLY|MASTERDOWN|LOADING|CLUSTERDOWN|TRYAGAIN|BUSY)\b/;
/** Those that another server must be asked for: it is no master (any more). */
const NOT_HERE = /READONLY|MASTERDOWN/;

/** Sends all operations of one turn of the event loop as one call, in their order, and again until it is answered. */
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
   * Runs one operation: `call.reply` is the server's reply, or rejects.
   * - ProviderError: the server refused it
   * - ProviderUnreachableError: no answer within the limit; it is not sent again after that
   */
  add(call: Call): void {
    if (this.#calls.push(call) === 1) process.nextTick(() => this.#flush());
  }

  /** Ends what is under way; nothing is asked again. */
  close(): void {
    this.#closed = true;
    this.connection.drop();
  }

  #flush(): void {
    const calls = this.#calls;
    this.#calls = [];
    // Errands go apart, and in their order: an errand undoes what was asked before it.
    for (let from = 0, at = 1; from < calls.length; at += 1) {
      if (calls[at]?.errand === calls[from]!.errand) continue;
      this.#route(calls.slice(from, at));
      from = at;
    }
  }

  #route(calls: Call[]): void {
    const { cluster, keyPrefix } = this.connection;
    if (!cluster) return this.#cut(guardOf(keyPrefix), calls);
    const bySlot = new Map<number, Call[]>();
    for (const call of calls) {
      const at = slot(call.key);
      const group = bySlot.get(at);
      if (group) group.push(call);
      else bySlot.set(at, [call]);
    }
    for (const [at, group] of bySlot) this.#cut(guardOf(keyPrefix, at), group);
  }

  #cut(guard: string, calls: Call[]): void {
    for (let at = 0; at < calls.length; at += this.cap) void this.#send(guard, calls.slice(at, at + this.cap));
  }

  async #send(guard: string, calls: Call[]): Promise<void> {
    const started = performance.now();
    const over = new AbortController();
    const timer = setTimeout(() => this.#gaveUp(calls, started, over), this.limit);
    const { errand } = calls[0]!;
    if (errand) timer.unref();
    for (const call of calls) {
      call.onCancel = () => {
        if (calls.every(({ cancelled }) => cancelled)) over.abort();
      };
    }
    let open = calls;
    for (let pause = FIRST_PAUSE; !over.signal.aborted && !this.#closed; pause = Math.min(pause * 2, LAST_PAUSE)) {
      open = await this.#once(guard, open, over.signal, errand);
      if (open.length === 0) return clearTimeout(timer);
      if (errand) break;
      await sleep(pause, undefined, { signal: over.signal }).catch(() => undefined);
    }
    clearTimeout(timer);
    this.#reject(calls, started);
  }

  /** Asks once; gives the calls of which nothing is known after it. */
  async #once(guard: string, calls: Call[], signal: AbortSignal, errand: boolean): Promise<Call[]> {
    let sent: Call[] = [];
    const request = (): ScriptCall => {
      sent = calls.filter((call) => !call.cancelled);
      return scriptCall(guard, sent, this.connection.cluster);
    };
    try {
      const replies = await this.connection.run(request, signal, errand);
      this.#silent = 0;
      return sent.filter((call, at) => !this.#settle(call, replies[at]));
    } catch (error) {
      if (!isReplyError(error)) return calls;
      return calls.filter((call) => !this.#settle(call, error));
    }
  }

  /** Gives a call its reply; false when it must be asked again, for nothing was done. */
  #settle(call: Call, reply: unknown): boolean {
    if (!(reply instanceof Error)) call.resolve(reply);
    else if (!NOT_NOW.test(reply.message)) call.reject(refused(reply));
    else {
      if (!call.repeated) call.sent = 0;
      this.connection.lastError = plain(reply);
      if (NOT_HERE.test(reply.message)) this.connection.drop();
      return false;
    }
    return true;
  }

  #gaveUp(calls: Call[], started: Milliseconds, over: AbortController): void {
    this.#reject(calls, started);
    over.abort();
    // Once may be a slow server, and the undoing should follow on the same connection; twice is a dead connection.
    this.#silent += 1;
    if (this.#silent >= 2) this.connection.drop();
  }

  #reject(calls: Call[], started: Milliseconds): void {
    const after = performance.now() - started;
    for (const call of calls) call.reject(new ProviderUnreachableError('redis', after, this.connection.lastError));
  }
}

function scriptCall(guard: string, calls: readonly Call[], cluster: boolean): ScriptCall {
  const now = performance.now();
  const keys = [guard];
  const args: (string | number)[] = [0];
  let fences = 0;
  for (const call of calls) {
    call.repeated = call.sent !== 0;
    call.sent = now;
    fences += call.fences;
    keys.push(call.key, lineOf(call.key, cluster));
    // One that may have been done before may stand in line already, as one that asks again does.
    args.push(call.op === 'O' && call.repeated ? 'K' : call.op, ...call.args);
  }
  args[0] = fences;
  return { keys, args };
}

function refused(error: Error): ProviderError {
  return new ProviderError(`lock: redis refused: ${error.message}`, { cause: plain(error) });
}
