import { setTimeout as sleep } from 'node:timers/promises';
import { timerDelay, type Milliseconds } from '../../../../duration.js';
import { ProviderError, ProviderUnreachableError } from '../../errors.js';
import { atMost } from './at_most.js';
import type { Call } from './call.js';
import { plain } from './client.js';
import type { Connection } from './connection.js';
import { Flight, type Landing } from './flight.js';
import { isBare } from './run.js';
import { FOR_ONE, isReplyError, NOT_HERE, NOT_NOW } from './reply_error.js';
import { guardOf, slot } from './slots.js';

/** Operations in one call, if nothing else is said: some 0.3 ms of the server's time, so that its other users are not held up. */
export const BATCH_CAP = 128;
/** More than these would hold up the server's other users for longer than a millisecond or two. */
export const LARGEST_BATCH = 1_024;

const FIRST_PAUSE: Milliseconds = 20;
const LAST_PAUSE: Milliseconds = 500;
/** A connection is not taken for dead sooner, however short the ttl that is renewed. */
const SHORTEST_SILENCE: Milliseconds = 100;

/** Where the connection is still being made, silence counts from so much later. */
const CONNECTING: Milliseconds = 1_000;

/**
 * Sends all operations of one turn of the event loop as one call, in their order, and again until it is answered. What is full
 * leaves before the turn is over: the server works on it while the rest of the turn goes on.
 */
export class Batch {
  #calls: Call[] = [];
  /** Renewals leave apart: those with the same limit together. */
  readonly #renewals = new Map<Milliseconds, Call[]>();
  readonly #listeners = new Set<NodeJS.Timeout>();
  /** How many answers have come, of each server. */
  readonly #answers = new Map<string, number>();
  /** What is on its way, the oldest first. A list: the tables of a set that comes and goes keep each other in memory. */
  #flights: Flight[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Calls in a row that ran out of time, of each server. */
  readonly #silent = new Map<string, number>();
  #closed = false;
  /** Of who closes it, and waits for what is under way. */
  #onIdle: (() => void) | undefined;
  readonly #landing: Landing = (flight, reply, error) => this.#heard(flight, reply, error);

  /**
   * @param limit milliseconds within which an operation is answered or fails
   * @param yields keys may be let be free for a moment
   */
  constructor(
    private readonly connection: Connection,
    private readonly limit: Milliseconds,
    private readonly cap: number,
    private readonly yields: boolean,
  ) {}

  /**
   * Runs one operation: the receiver of `call` is told the server's reply, or why there is none.
   * - ProviderError: the server refused it
   * - ProviderUnreachableError: no answer within the limit; it is not sent again after that
   */
  add(call: Call): void {
    // On a cluster a call is full when there are so many of one slot.
    if (this.#calls.length === this.cap && !this.connection.cluster) this.#flush();
    if (this.#calls.push(call) === 1) process.nextTick(() => this.#flush());
  }

  /**
   * The same for a renewal, which does not wait for the limit of others to find out that its connection is dead: if nothing
   * was heard on it for twice `limit`, it is opened anew, and what is unanswered is sent again. An answer that comes before
   * that counts.
   */
  renew(call: Call, limit: Milliseconds): void {
    const calls = this.#renewals.get(limit);
    if (calls) return void calls.push(call);
    const first = [call];
    this.#renewals.set(limit, first);
    process.nextTick(() => {
      this.#renewals.delete(limit);
      this.#route(first);
      const servers = new Set(first.map((call) => call.flight?.server));
      for (const server of servers)
        if (server !== undefined) this.#listen(server, Math.max(2 * limit, SHORTEST_SILENCE));
    });
  }

  /** Waits until nothing is under way, for at most `limit` milliseconds. */
  async idle(limit: Milliseconds): Promise<void> {
    if (this.#calls.length === 0 && this.#flights.length === 0) return;
    await atMost(limit, new Promise<void>((resolve) => (this.#onIdle = resolve)));
  }

  /** Ends what is under way; nothing is asked again. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const timer of this.#listeners) clearTimeout(timer);
    for (const flight of [...this.#flights]) this.#gaveUp(flight);
    this.connection.drop();
  }

  #listen(server: string, limit: Milliseconds): void {
    const { generation, isOpen } = this.connection;
    const answers = this.#answers.get(server);
    const isSilent = (): boolean =>
      !this.#closed && this.#answers.get(server) === answers && this.connection.generation === generation;
    const timer = setTimeout(
      () => {
        this.#listeners.delete(timer);
        // After a stall of our own the answer may be there, and be read right after this.
        if (isSilent()) setImmediate(() => isSilent() && this.connection.drop()).unref();
      },
      timerDelay(isOpen ? limit : limit + CONNECTING),
    );
    this.#listeners.add(timer.unref());
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
    if (!cluster) return this.#cut(guardOf(keyPrefix), '', calls);
    const bySlot = new Map<number, Call[]>();
    for (const call of calls) {
      const at = slot(call.key);
      if (isBare(call)) {
        // Alone, so that it goes on while the slot moves and has not all of its keys in one place.
        this.#cut(guardOf(keyPrefix, at), this.connection.nodeOf(at), [call]);
        continue;
      }
      const group = bySlot.get(at);
      if (group) group.push(call);
      else bySlot.set(at, [call]);
    }
    for (const [at, group] of bySlot) this.#cut(guardOf(keyPrefix, at), this.connection.nodeOf(at), group);
  }

  #cut(guard: string, server: string, all: Call[]): void {
    const isLeft = ({ cancelled, key }: Call): boolean => cancelled || key === guard;
    const calls = all.some(isLeft) ? all.filter((call) => !call.cancelled && !refusedAsGuard(call, guard)) : all;
    for (let at = 0; at < calls.length; at += this.cap) this.#send(guard, server, calls.slice(at, at + this.cap));
    this.#tellIdle();
  }

  #send(guard: string, server: string, calls: Call[], started = performance.now()): void {
    const flight = new Flight(guard, server, calls, this.connection, this.yields, this.#landing, started);
    for (const call of calls) call.flight = flight;
    // Most are the latest; the oldest stands in front, for `watch`.
    const at = this.#flights.findLastIndex((other) => other.started <= started);
    this.#flights.splice(at + 1, 0, flight);
    this.#watch();
    flight.runs = this.connection.isOpen;
    if (!flight.runs) return void this.#persist(flight);
    this.connection.runNow(flight, flight.errand);
  }

  /** Ends with the answer or with the time, whichever comes first; the other finds it ended. */
  #heard(flight: Flight, reply: unknown, error?: unknown): void {
    if (flight.over) {
      if (error === undefined) this.#strayed(flight, reply);
      return this.#land(flight);
    }
    flight.rest();
    if (error === undefined) this.#answered(flight, reply);
    else this.#failed(flight, error);
    if (flight.open.length > 0 && !flight.errand) void this.#persist(flight);
    else this.#end(flight);
  }

  /** Asks again, and opens the connection for it if need be, until everything is answered or the time is up. */
  async #persist(flight: Flight): Promise<void> {
    const { signal } = flight;
    for (let pause = FIRST_PAUSE; !signal.aborted && !this.#closed; pause = Math.min(pause * 2, LAST_PAUSE)) {
      try {
        this.#answered(flight, await this.#again(flight));
      } catch (error) {
        this.#failed(flight, error);
      }
      if (flight.open.length === 0 || flight.errand) break;
      await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
    this.#end(flight);
  }

  #again(flight: Flight): Promise<unknown> {
    return this.connection.run(
      (refused) => flight.request(refused),
      flight.signal,
      flight.errand,
      (reply) => this.#strayed(flight, reply),
    );
  }

  /** Nobody waits for the flight any more. */
  #strayed(flight: Flight, reply: unknown): void {
    this.#heardFrom(flight.server);
    const { run } = flight;
    run!.calls.forEach((call, at) => {
      const one = run!.replyTo(at, reply);
      if (!(one instanceof Error)) call.resolve(one);
    });
  }

  #heardFrom(server: string): void {
    this.#silent.delete(server);
    this.#answers.set(server, (this.#answers.get(server) ?? 0) + 1);
  }

  #answered(flight: Flight, reply: unknown): void {
    this.#heardFrom(flight.server);
    const { run } = flight;
    flight.open = run!.calls.filter((call, at) => !this.#settle(flight, call, run!.replyTo(at, reply)));
  }

  #failed(flight: Flight, error: unknown): void {
    if (!isReplyError(error)) {
      if (!flight.over) flight.why = plain(error);
    } else if (FOR_ONE.test(error.message) && flight.open.length > 1) {
      this.#sendApart(flight);
    } else {
      flight.open = flight.open.filter((call) => !this.#settle(flight, call, error));
    }
  }

  /** One of them is not allowed, and none was run: each is sent alone, in their order, within the time of all. */
  #sendApart(flight: Flight): void {
    const { guard, server, started } = flight;
    const calls = flight.open.filter(({ cancelled }) => !cancelled);
    flight.open = [];
    for (const call of calls) {
      call.notRun();
      this.#send(guard, server, [call], started);
    }
  }

  /** Gives a call its reply; false when it must be asked again, for nothing was done. */
  #settle(flight: Flight, call: Call, reply: unknown): boolean {
    if (!(reply instanceof Error)) call.resolve(reply);
    else if (!NOT_NOW.test(reply.message)) call.reject(refused(reply));
    else {
      call.notRun();
      flight.why = plain(reply);
      if (NOT_HERE.test(reply.message)) this.connection.drop();
      return false;
    }
    return true;
  }

  #land(flight: Flight): void {
    flight.end();
    // As a rule the oldest lands first.
    if (this.#flights[0] === flight) this.#flights.shift();
    else this.#flights = this.#flights.filter((other) => other !== flight);
    this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#calls.length === 0 && this.#flights.length === 0) this.#onIdle?.();
  }

  /**
   * One timer for all flights, whose limit is the same: it looks after the oldest. It does not keep the process alive; an
   * open question does, by its socket.
   */
  #watch(): void {
    if (this.#timer) return;
    const [oldest] = this.#flights;
    if (!oldest) return;
    const left = oldest.started + this.limit - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const late = performance.now() - this.limit;
        for (const flight of [...this.#flights]) if (flight.started <= late) this.#gaveUp(flight);
        this.#watch();
      },
      timerDelay(Math.max(1, left)),
    );
    this.#timer.unref();
  }

  #gaveUp(flight: Flight): void {
    this.#end(flight);
    // Once may be a slow server, and the undoing should follow on the same connection; twice is a dead connection.
    const silent = (this.#silent.get(flight.server) ?? 0) + 1;
    this.#silent.set(flight.server, silent);
    if (silent < 2) return;
    this.#silent.clear();
    this.connection.drop();
  }

  /** What is still open has no answer, and gets none. */
  #end(flight: Flight): void {
    const after = performance.now() - flight.started;
    for (const call of flight.open) call.reject(new ProviderUnreachableError('redis', after, flight.why));
    this.#land(flight);
  }
}

/** A lock at the place of the guard would end every other lock: nothing there would be a number any more. */
function refusedAsGuard(call: Call, guard: string): boolean {
  const { key } = call;
  if (key !== guard) return false;
  call.reject(
    new ProviderError(`lock: redis keeps the last fence at the key ${JSON.stringify(key)}: lock another one`),
  );
  return true;
}

function refused(error: Error): ProviderError {
  return new ProviderError(`lock: redis refused: ${error.message}`, { cause: plain(error) });
}
