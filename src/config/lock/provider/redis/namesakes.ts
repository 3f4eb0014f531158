import type { Ask } from '../store.js';
import type { Call } from './call.js';
import { identity } from './undo.js';

/**
 * What is asked for holds under tokens of the application's own, which the next hold of this process may have as well: what
 * is sent again for the last one would find it. A random token is nobody else's, and is not looked after.
 */
export class Namesakes {
  /** Releases and refreshes without an answer, by key and value. */
  readonly #calls = new Map<string, Set<Call>>();

  add(ask: Ask, call: Call): void {
    if (ask.random) return;
    const name = identity(ask, ask.value);
    const calls = this.#calls.get(name);
    if (calls) calls.add(call);
    else this.#calls.set(name, new Set([call]));
    call.onOver = () => this.#remove(name, call);
  }

  /** Another has the hold now, under the same name: it counts as released and refreshed for those before. */
  takenOver(ask: Ask): void {
    if (ask.random || this.#calls.size === 0) return;
    for (const call of [...(this.#calls.get(identity(ask, ask.value)) ?? [])]) call.settle(DONE);
  }

  #remove(name: string, call: Call): void {
    const calls = this.#calls.get(name);
    if (calls?.delete(call) && calls.size === 0) this.#calls.delete(name);
  }
}

/** The reply to a release and to a refresh that was done. */
const DONE = 1;
