import { ProviderUnreachableError } from '../../errors.js';
import type { Ask } from '../store.js';
import type { Operation } from './operation.js';
import { identity } from './undo.js';

/**
 * What is asked for holds under tokens of the application's own, which the next hold of this process may have as well: what
 * is sent again for the last one would find it. A random token is nobody else's, and is not looked after.
 */
export class Namesakes {
  /** Releases, refreshes and undoings without an answer, by key and value. */
  readonly #ends = new Map<string, Set<Operation>>();
  /** The question that is under way, by the same. */
  readonly #questions = new Map<string, Operation>();

  /** Something that a hold is given back, refreshed or undone by. */
  add({ key, random }: Pick<Ask, 'key' | 'random'>, operation: Operation): void {
    if (random) return;
    const name = identity(key, operation.value);
    const ends = this.#ends.get(name);
    if (ends) ends.add(operation);
    else this.#ends.set(name, new Set([operation]));
    operation.ahead = this.#questions.get(name);
    operation.onOver = () => this.#remove(name, operation);
  }

  /** A question: once it is sent, nothing of the holds before is. */
  asks({ key, random }: Ask, question: Operation): void {
    if (random) return;
    const name = identity(key, question.value);
    this.#questions.set(name, question);
    for (const operation of this.#ends.get(name) ?? []) operation.ahead = question;
    question.onOver = () => {
      if (this.#questions.get(name) === question) this.#questions.delete(name);
    };
  }

  /** Whether a question was sent that has no answer. */
  isAsked(key: string, value: string): boolean {
    const question = this.#questions.get(identity(key, value));
    return question !== undefined && question.sent !== 0;
  }

  /** A question was answered: whoever has the key now, the holds before are over, and count as released and refreshed. */
  answered({ key, value, random }: Ask): void {
    if (random || this.#ends.size === 0) return;
    for (const operation of [...(this.#ends.get(identity(key, value)) ?? [])]) {
      if (operation.errand) operation.cancel(new ProviderUnreachableError('redis', 0));
      else operation.settle(DONE);
    }
  }

  #remove(name: string, operation: Operation): void {
    const ends = this.#ends.get(name);
    if (ends?.delete(operation) && ends.size === 0) this.#ends.delete(name);
  }
}

/** The reply to a release and to a refresh that was done. */
const DONE = 1;
