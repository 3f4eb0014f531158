import type { Milliseconds } from '../../../../duration.js';
import { ProviderError } from '../../errors.js';
import type { Connection } from './connection.js';
import { Flights } from './flights.js';
import type { Operation } from './operation.js';
import { isBare } from './run.js';
import { guardOf, slot } from './slots.js';

/** Operations in one call, if nothing else is said: some 0.3 ms of the server's time, so that its other users are not held up. */
export const BATCH_CAP = 128;
/** More than these would hold up the server's other users for longer than a millisecond or two. */
export const LARGEST_BATCH = 1_024;

/** A connection is not taken for dead sooner, however short the ttl that is renewed. */
const SHORTEST_SILENCE: Milliseconds = 100;

/**
 * Sends all operations of one turn of the event loop as one call, in their order. What is full leaves before the turn is over: the
 * server works on it while the rest of the turn goes on.
 */
export class Batch {
  /** Those of this turn of the event loop, until they leave. */
  #collected: Operation[] = [];
  /** Renewals leave apart: those with the same limit together. */
  readonly #renewals = new Map<Milliseconds, Operation[]>();
  readonly #flights: Flights;

  /**
   * @param limit milliseconds within which an operation is answered or fails
   * @param cap how many operations may leave as one call
   * @param yields keys may be let be free for a moment
   */
  constructor(
    private readonly connection: Connection,
    limit: Milliseconds,
    private readonly cap: number,
    yields: boolean,
  ) {
    this.#flights = new Flights(connection, limit, yields);
  }

  /**
   * Runs one operation: the receiver of `operation` is told the server's reply, or why there is none.
   * - ProviderError: the server refused it
   * - ProviderUnreachableError: no answer within the limit; it is not sent again after that
   */
  add(operation: Operation): void {
    // On a cluster a call is full when there are so many of one slot.
    if (this.#collected.length === this.cap && !this.connection.cluster) this.flush();
    if (this.#collected.push(operation) === 1) process.nextTick(() => this.flush());
  }

  /**
   * The same for a renewal, which does not wait for the limit of others to find out that its connection is dead: if nothing
   * was heard on it for twice `limit`, it is opened anew, and what is unanswered is sent again. An answer that comes before
   * that counts.
   */
  renew(operation: Operation, limit: Milliseconds): void {
    const operations = this.#renewals.get(limit);
    if (operations) return void operations.push(operation);
    const first = [operation];
    this.#renewals.set(limit, first);
    process.nextTick(() => {
      this.#renewals.delete(limit);
      this.#route(first);
      const servers = new Set(first.map((operation) => operation.flight?.server));
      for (const server of servers)
        if (server !== undefined) this.#flights.listen(server, Math.max(2 * limit, SHORTEST_SILENCE));
    });
  }

  /** Waits until nothing is under way, for at most `limit` milliseconds. */
  idle(limit: Milliseconds): Promise<void> {
    this.flush();
    return this.#flights.idle(limit);
  }

  /** Ends what is under way; nothing is asked again. */
  close(): void {
    this.#flights.close();
  }

  /** Sends what was collected so far. */
  flush(): void {
    const operations = this.#collected;
    this.#collected = [];
    if (operations.length === 1) return this.#route(operations);
    // Errands go apart, and in their order: an errand undoes what was asked before it.
    for (let from = 0, at = 1; from < operations.length; at += 1) {
      if (operations[at]?.errand === operations[from]!.errand) continue;
      this.#route(operations.slice(from, at));
      from = at;
    }
  }

  #route(operations: Operation[]): void {
    const { cluster, keyPrefix } = this.connection;
    if (!cluster) return this.#cut(guardOf(keyPrefix), '', operations);
    const bySlot = new Map<number, Operation[]>();
    for (const operation of operations) {
      const at = slot(operation.key);
      if (isBare(operation)) {
        // Alone, so that it goes on while the slot moves and has not all of its keys in one place.
        this.#cut(guardOf(keyPrefix, at), this.connection.nodeOf(at), [operation]);
        continue;
      }
      const group = bySlot.get(at);
      if (group) group.push(operation);
      else bySlot.set(at, [operation]);
    }
    for (const [at, group] of bySlot) this.#cut(guardOf(keyPrefix, at), this.connection.nodeOf(at), group);
  }

  #cut(guard: string, server: string, all: Operation[]): void {
    const isLeft = ({ cancelled, key }: Operation): boolean => cancelled || key === guard;
    const operations = all.some(isLeft)
      ? all.filter((operation) => !operation.cancelled && !refusedAsGuard(operation, guard))
      : all;
    if (operations.length === 0) return;
    if (operations.length <= this.cap) return this.#flights.start(guard, server, operations);
    for (let at = 0; at < operations.length; at += this.cap)
      this.#flights.start(guard, server, operations.slice(at, at + this.cap));
  }
}

/** A lock at the place of the guard would end every other lock: nothing there would be a number any more. */
function refusedAsGuard(operation: Operation, guard: string): boolean {
  const { key } = operation;
  if (key !== guard) return false;
  operation.reject(
    new ProviderError(`lock: redis keeps the last fence at the key ${JSON.stringify(key)}: lock another one`),
  );
  return true;
}
