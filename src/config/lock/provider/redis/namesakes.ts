import type { Ask } from '../store.js';
import type { Operation } from './operation.js';
import { identity } from './undo.js';

/**
 * What is asked for holds under tokens of the application's own, which the next hold of this process may have as well: what
 * is sent again for the last one would find it. A random token is nobody else's, and is not looked after.
 */
export class Namesakes {
  /** Releases and refreshes without an answer, by key and value. */
  readonly #operations = new Map<string, Set<Operation>>();

  add(ask: Ask, operation: Operation): void {
    if (ask.random) return;
    const name = identity(ask, ask.value);
    const operations = this.#operations.get(name);
    if (operations) operations.add(operation);
    else this.#operations.set(name, new Set([operation]));
    operation.onOver = () => this.#remove(name, operation);
  }

  /** Another has the hold now, under the same name: it counts as released and refreshed for those before. */
  takenOver(ask: Ask): void {
    if (ask.random || this.#operations.size === 0) return;
    for (const operation of [...(this.#operations.get(identity(ask, ask.value)) ?? [])]) operation.settle(DONE);
  }

  #remove(name: string, operation: Operation): void {
    const operations = this.#operations.get(name);
    if (operations?.delete(operation) && operations.size === 0) this.#operations.delete(name);
  }
}

/** The reply to a release and to a refresh that was done. */
const DONE = 1;
