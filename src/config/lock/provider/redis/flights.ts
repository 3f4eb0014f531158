import { setImmediate as atEndOfTurn } from 'node:timers';
import { setTimeout as sleep } from 'node:timers/promises';
import { timerDelay, type Milliseconds } from '../../../../duration.js';
import { ProviderError, ProviderUnreachableError } from '../../errors.js';
import { atMost } from './at_most.js';
import { plain } from './client.js';
import type { Connection } from './connection.js';
import { Flight, type Landing } from './flight.js';
import { hinted } from './hints.js';
import type { Operation } from './operation.js';
import { ELSEWHERE, FOR_ONE, isReplyError, NOT_HERE, NOT_NOW } from './reply_error.js';

const FIRST_PAUSE: Milliseconds = 20;
const LAST_PAUSE: Milliseconds = 500;

/**
 * An answer to many is told in parts, each by an immediate of its own, so that what is asked next leaves in as many calls as bring
 * those that are under way to so many. Server and process are then at work at the same time; with one or two calls each would sleep until the
 * other is done, and a system takes longer to wake them than a call to run. Measured with keys that nobody else wants, against one part: of 2
 * to 8 calls 4 were the best, or as good as any, from 16 to 256 keys.
 */
const AT_WORK = 4;

/**
 * Operations of a part, about, at least: a call costs the server, which others may share, about as much as these. With parts of 2 a process that has
 * the server for itself takes 8 keys 1.6 times as often; four processes together half as often.
 */
const LEAST_PART = 16;

/** Where the connection is still being made, silence counts from so much later. */
const CONNECTING: Milliseconds = 1_000;

/** Sends what leaves together, and again until it is answered or its time is up. */
export class Flights {
  readonly #listeners = new Set<NodeJS.Timeout>();
  /** How many answers have come, of each server. */
  readonly #answers = new Map<string, number>();
  /** The oldest first. A list: the tables of a set that comes and goes keep each other in memory. */
  #underWay: Flight[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Calls in a row that ran out of time, of each server. */
  readonly #silent = new Map<string, number>();
  #closed = false;
  /** Whether an answer was told in this turn of the event loop, and others may have come with it. */
  #hasTold = false;
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
    private readonly yields: boolean,
  ) {}

  /**
   * Each of them is told the reply of the server, or why there is none.
   * @param guard the key of the fence guard
   * @param server as that of `Flight`
   * @param started from when on their time counts, on `performance.now()`
   */
  start(guard: string, server: string, operations: Operation[], started = performance.now()): void {
    const flight = new Flight(guard, server, operations, this.connection, this.yields, this.#landing, started);
    for (const operation of operations) operation.flight = flight;
    this.#takeOff(flight);
    this.#watch();
    flight.runs = this.connection.isOpen && flight.isReady;
    if (!flight.runs) return void this.#persist(flight);
    this.connection.runNow(flight, flight.errand);
  }

  /** The oldest stands in front, for `watch`; most are the latest. */
  #takeOff(flight: Flight): void {
    const { started } = flight;
    const flights = this.#underWay;
    let at = flights.length;
    while (at > 0 && flights[at - 1]!.started > started) at -= 1;
    if (at === flights.length) flights.push(flight);
    else flights.splice(at, 0, flight);
  }

  /** Waits until nothing is under way, for at most `limit` milliseconds. */
  async idle(limit: Milliseconds): Promise<void> {
    if (this.#underWay.length === 0) return;
    await atMost(limit, new Promise<void>((resolve) => (this.#onIdle = resolve)));
  }

  /** Ends what is under way; nothing is asked again. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const timer of this.#listeners) clearTimeout(timer);
    for (const flight of [...this.#underWay]) this.#gaveUp(flight);
    this.connection.drop();
  }

  /** If this server answers nothing within `limit` milliseconds, the connection is opened anew. */
  listen(server: string, limit: Milliseconds): void {
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

  /** Ends with the answer or with the time, whichever comes first; the other finds it ended. */
  #heard(flight: Flight, reply: unknown, error?: unknown): void {
    if (flight.over) {
      if (error === undefined) this.#heardFrom(flight.server);
      return this.#land(flight);
    }
    flight.rest();
    if (error !== undefined) this.#failed(flight, error);
    else if (typeof reply === 'number') return this.#tellInTurn(flight, reply);
    else this.#answered(flight, reply);
    this.#goOn(flight);
  }

  #goOn(flight: Flight): void {
    if (flight.open.length > 0 && !flight.errand) void this.#persist(flight);
    else this.#end(flight);
  }

  /**
   * Answers that came together are told apart, too: with 16 to 128 keys that nobody else wants, 1.04 to 1.1 times as many locks. All went as it
   * does as a rule: nothing depends on what is told first, this or other news that comes meanwhile. The immediates are asked for now, not when
   * the part before was told: so all that was read is told before a timer may say that it never came.
   */
  #tellInTurn(flight: Flight, reply: number): void {
    this.#heardFrom(flight.server);
    const { length } = flight.run!.operations;
    const parts = Math.min(Math.floor(AT_WORK / this.#underWay.length), Math.floor(length / LEAST_PART));
    const size = Math.ceil(length / Math.max(1, parts));
    const isFirst = !this.#hasTold;
    if (isFirst && this.#underWay.length > 1) {
      this.#hasTold = true;
      atEndOfTurn(() => (this.#hasTold = false));
    }
    for (let from = 0; from < length; from += size) {
      if (from === 0 && isFirst) this.#tellPart(flight, reply, from, size);
      else atEndOfTurn(() => this.#tellPart(flight, reply, from, size));
    }
  }

  #tellPart(flight: Flight, reply: number, from: number, size: number): void {
    const { length } = flight.run!.operations;
    const end = Math.min(from + size, length);
    tell(flight, reply, from, end);
    if (end === length) this.#goOn(flight);
  }

  /** Asks again, and opens the connection for it if need be, until everything is answered or the time is up. */
  async #persist(flight: Flight): Promise<void> {
    const { signal } = flight;
    for (let pause = FIRST_PAUSE; !signal.aborted && !this.#closed; pause = Math.min(pause * 2, LAST_PAUSE)) {
      try {
        if (flight.isReady) this.#answered(flight, await this.#again(flight));
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
      () => this.#heardFrom(flight.server),
    );
  }

  #heardFrom(server: string): void {
    this.#silent.delete(server);
    this.#answers.set(server, (this.#answers.get(server) ?? 0) + 1);
  }

  #answered(flight: Flight, reply: unknown): void {
    this.#heardFrom(flight.server);
    const run = flight.run!;
    const again = run.operations.filter((operation, at) => !this.#settle(flight, operation, run.replyTo(at, reply)));
    const held = heldBack(flight);
    flight.open = held.length === 0 ? again : [...held, ...again];
  }

  #failed(flight: Flight, error: unknown): void {
    if (!isReplyError(error)) {
      if (!flight.over) flight.why = plain(error);
    } else if (FOR_ONE.test(error.message) && flight.open.length > 1) {
      this.#sendApart(flight);
    } else {
      const held = heldBack(flight);
      flight.open = flight.open.filter((one) => held.includes(one) || !this.#settle(flight, one, error));
    }
  }

  /** One of them is not allowed, and none was run: each is sent alone, in their order, within the time of all. */
  #sendApart(flight: Flight): void {
    const { guard, server, started } = flight;
    const operations = flight.open.filter(({ cancelled }) => !cancelled);
    flight.open = [];
    for (const operation of flight.run?.operations ?? []) operation.notRun();
    for (const operation of operations) this.start(guard, server, [operation], started);
  }

  /** Gives an operation its reply; false when it must be asked again, for nothing was done. */
  #settle(flight: Flight, operation: Operation, reply: unknown): boolean {
    if (!(reply instanceof Error)) operation.resolve(reply);
    else if (!this.#isForLater(reply)) operation.reject(refused(reply));
    else {
      operation.notRun();
      flight.why = plain(reply);
      if (NOT_HERE.test(reply.message)) this.connection.drop();
      return false;
    }
    return true;
  }

  /** Of another node of a cluster we are told only when what was asked was not to be sent there as it was. */
  #isForLater(refusal: Error): boolean {
    return NOT_NOW.test(refusal.message) || (this.connection.cluster && ELSEWHERE.test(refusal.message));
  }

  #land(flight: Flight): void {
    flight.end();
    // As a rule the oldest lands first.
    if (this.#underWay[0] === flight) this.#underWay.shift();
    else this.#underWay = this.#underWay.filter((other) => other !== flight);
    if (this.#underWay.length === 0) this.#onIdle?.();
  }

  /**
   * One timer for all flights, whose limit is the same: it looks after the oldest. It does not keep the process alive; an
   * open question does, by its socket.
   */
  #watch(): void {
    if (this.#timer) return;
    const [oldest] = this.#underWay;
    if (!oldest) return;
    const left = oldest.started + this.limit - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        const late = performance.now() - this.limit;
        for (const flight of [...this.#underWay]) if (flight.started <= late) this.#gaveUp(flight);
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
    if (flight.open.length > 0) {
      const after = performance.now() - flight.started;
      const why = flight.why ?? this.connection.trouble;
      for (const operation of flight.open) operation.reject(new ProviderUnreachableError('redis', after, why));
    }
    this.#land(flight);
  }
}

/** Tells some of those that were sent; what comes behind them is still open. */
function tell(flight: Flight, reply: number, from: number, end: number): void {
  const run = flight.run!;
  const { operations } = run;
  const held = heldBack(flight);
  flight.open = end === operations.length ? held : [...held, ...operations.slice(end)];
  // One look at the clock does for all: nobody goes on before the last of them is told.
  const now = performance.now();
  for (let at = from; at < end; at += 1) operations[at]!.resolve(run.replyTo(at, reply), now);
}

/** What was not sent, and is still wanted. */
function heldBack({ run }: Flight): readonly Operation[] {
  return run && run.overtaken.length > 0 ? run.overtaken.filter(({ cancelled }) => !cancelled) : NONE;
}

const NONE: readonly Operation[] = [];

function refused(error: Error): ProviderError {
  return new ProviderError(`lock: redis refused: ${hinted(error.message)}`, { cause: plain(error) });
}
