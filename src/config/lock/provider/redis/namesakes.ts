import { ProviderUnreachableError } from '../../errors.js';
import { isHeld } from './fences.js';
import type { Operation } from './operation.js';
import type { Wait } from './wait.js';

/** So many waits are remembered before those whose holds are over are forgotten. */
const SWEEP_FROM = 1_024;

/**
 * What is asked for holds under tokens of the application's own, which the next hold of this process may have as well: what
 * is sent for the last one, behind the first question of the next, would find it. A random token is nobody else's, and is not
 * looked after.
 */
export class Namesakes {
  /** Releases, refreshes and undoings without an answer, and whose they are, by key and value. */
  readonly #ends = new Map<string, Map<Operation, Wait>>();
  /** The last wait that asked, until it is refused in no line, given up or given back, by the same. */
  readonly #waits = new Map<string, Wait>();
  #sweepFrom = SWEEP_FROM;

  /** Something by which the hold of `wait` is given back, refreshed or undone. */
  add(wait: Wait | undefined, operation: Operation): void {
    if (!wait || wait.ask.random) return;
    const { key } = wait.ask;
    const name = nameOf(key, operation.value);
    const ends = this.#ends.get(name);
    if (ends) ends.set(operation, wait);
    else this.#ends.set(name, new Map([[operation, wait]]));
    operation.isOvertaken = () => this.isOthers(wait, operation.value);
    operation.onOver = () => this.#over(name, wait, operation);
  }

  /** Its first question is on its way: once it is sent, nothing of the holds before is. */
  asks(wait: Wait): void {
    const { ask, value } = wait;
    if (ask.random) return;
    const name = nameOf(ask.key, value);
    if (this.#waits.size >= this.#sweepFrom && !this.#waits.has(name)) this.#sweep();
    this.#waits.set(name, wait);
  }

  /** It is given up, or may be. */
  leaves(wait: Wait): void {
    const { ask, value } = wait;
    if (!ask.random) this.#forget(nameOf(ask.key, value), wait);
  }

  /** Whether the key under that name is the business of a later wait, which has asked. */
  isOthers(wait: Wait, value: string): boolean {
    return this.later(wait, value)?.wasSent ?? false;
  }

  /** Whether a later wait was answered: then the hold of this one is over. */
  isOver(wait: Wait): boolean {
    return this.later(wait)?.asked ?? false;
  }

  /** A question was answered: whoever has the key now, the holds before are over. */
  answered(wait: Wait): void {
    for (const [operation, whose] of [...(this.#ends.get(nameOf(wait.ask.key, wait.value)) ?? [])]) {
      if (whose === wait) continue;
      if (operation.errand) operation.cancel(new ProviderUnreachableError('redis', 0));
      else operation.settle(operation.ttl === undefined ? RELEASED : NOT_HELD);
    }
  }

  /** The hold under that name was ended by an undoing: a release that finds nothing any more has what it wanted. */
  ended(key: string, value: string): void {
    for (const operation of this.#ends.get(nameOf(key, value))?.keys() ?? []) operation.forestalled = true;
  }

  /** The wait that came after this one under the same name, and still waits or holds. */
  later(wait: Wait, value = wait.value): Wait | undefined {
    const { ask } = wait;
    if (ask.random) return undefined;
    const later = this.#waits.get(nameOf(ask.key, value));
    return later === undefined || later === wait || isPast(later) ? undefined : later;
  }

  /** Seldom enough that it costs little for each, however many there are. */
  #sweep(): void {
    for (const [name, each] of this.#waits) if (isPast(each)) this.#waits.delete(name);
    this.#sweepFrom = Math.max(SWEEP_FROM, 2 * this.#waits.size);
  }

  #over(name: string, wait: Wait, operation: Operation): void {
    const ends = this.#ends.get(name);
    if (ends?.delete(operation) && ends.size === 0) this.#ends.delete(name);
    if (isPast(wait)) this.#forget(name, wait);
  }

  #forget(name: string, wait: Wait): void {
    if (this.#waits.get(name) === wait) this.#waits.delete(name);
  }
}

/** What the replies to a release and to a refresh are that came too late to be asked for. */
const RELEASED = 1;
const NOT_HELD = 0;

/** Whether it had the key, and has not any more. */
function isPast({ visit }: Wait): boolean {
  return visit !== undefined && !isHeld(visit);
}

/** What tells a hold from others: two of a process may have both in common only under a token of the application's own. */
function nameOf(key: string, value: string): string {
  return `${key}\n${value}`;
}
