import type { Milliseconds } from '../../../../duration.js';
import type { Ask } from '../store.js';
import { atMost } from './at_most.js';
import type { Connection } from './connection.js';

const FIRST_PAUSE: Milliseconds = 100;
const LAST_PAUSE: Milliseconds = 5_000;

interface Errand {
  /** There may be something to undo since the last try was sent. */
  again: boolean;
  /** The holder asks anew, with a token of his own: nothing must be taken from him now. */
  spared: boolean;
  /** The connection on which an answer is the last word; on others a question may come behind it. */
  trusted: number | undefined;
  /** From then on an answer is believed on any connection, and from then on nothing of it can be left; on `performance.now()`. */
  late: Milliseconds;
  end: Milliseconds;
  /** Settles with the first try. */
  tried: Promise<unknown>;
}

/** Undoes something once. */
type Attempt = (spared: boolean) => Promise<unknown> | undefined;

/**
 * Undoes in the background what nobody wants any more, until the server has answered or nothing of it can be left. Keeps
 * no process alive.
 */
export class Undoing {
  readonly #errands = new Map<string, Errand>();
  #closed = false;

  constructor(
    private readonly connection: Connection,
    private readonly limit: Milliseconds,
  ) {}

  /**
   * @param isAstray a question of it may still be on its way on an earlier connection
   * @param attempt undoes it, once; with `spared`, only what takes nothing from a holder; undefined when that is nothing
   */
  start(ask: Ask, value: string, isAstray: boolean, attempt: Attempt): void {
    const id = identity(ask.key, value);
    const late = performance.now() + this.limit;
    const news = { trusted: isAstray ? undefined : this.connection.generation, late, end: late + ask.longest };
    const running = this.#errands.get(id);
    if (running?.spared === false) return void Object.assign(running, news, { again: true });
    if (this.#closed) return;
    const errand: Errand = { again: false, spared: false, tried: Promise.resolve(), ...news };
    this.#errands.set(id, errand);
    const tried = attempt(false);
    errand.tried = tried?.catch(() => undefined) ?? errand.tried;
    void this.#run(errand, tried, attempt).finally(() => {
      if (this.#errands.get(id) === errand) this.#errands.delete(id);
    });
  }

  spare(ask: Ask, value: string): void {
    if (this.#errands.size === 0) return;
    const errand = this.#errands.get(identity(ask.key, value));
    if (errand) errand.spared = true;
  }

  /** Waits for what was tried once, for at most `limit` milliseconds; tries no more. */
  async close(limit: Milliseconds): Promise<void> {
    this.#closed = true;
    await atMost(limit, Promise.all([...this.#errands.values()].map(({ tried }) => tried)));
  }

  async #run(errand: Errand, first: ReturnType<Attempt>, attempt: Attempt): Promise<void> {
    let tried = first;
    for (let pause = FIRST_PAUSE; tried; pause = Math.min(pause * 2, LAST_PAUSE)) {
      try {
        await tried;
        const isEnough = this.connection.generation === errand.trusted || performance.now() >= errand.late;
        if (isEnough && !errand.again) return;
        errand.again = false;
      } catch {
        // Not reached: again after the pause, for as long as it can matter.
      }
      await new Promise<void>((resolve) => setTimeout(resolve, pause).unref());
      if (performance.now() >= errand.end || this.#closed) return;
      tried = attempt(errand.spared);
    }
  }
}

/** What tells a hold from others: two of a process may have both in common only under a token of the application's own. */
export function identity(key: string, value: string): string {
  return `${key}\n${value}`;
}
