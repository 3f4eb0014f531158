import type { Milliseconds } from '../../../../duration.js';
import type { Ask } from '../store.js';
import { atMost } from './at_most.js';
import type { Connection } from './connection.js';

const FIRST_PAUSE: Milliseconds = 100;
const LAST_PAUSE: Milliseconds = 5_000;

interface Errand {
  /** What is undone. */
  readonly key: string;
  readonly value: string;
  /** There may be something to undo since the last try was sent. */
  again: boolean;
  /** The hold is over: nothing must be taken from who has it now under the same token. */
  spared: boolean;
  /** The connection on which an answer is the last word; on others a question may come behind it. */
  trusted: number | undefined;
  /** From then on an answer is believed on any connection, and from then on nothing of it can be left; on `performance.now()`. */
  late: Milliseconds;
  end: Milliseconds;
  /** Settles with the first try. */
  tried: Promise<unknown> | undefined;
  /** Ends the pause, if there is one. */
  wake: (() => void) | undefined;
}

/** Undoes something once; undefined when there is nothing to do now. With `spared`, only what takes nothing from a holder. */
type Attempt = (spared: boolean) => Promise<unknown> | undefined;

/**
 * Undoes in the background what nobody wants any more, until the server has answered or nothing of it can be left. Keeps
 * no process alive.
 */
export class Undoing {
  readonly #errands = new Map<object, Errand>();
  #closed = false;

  constructor(
    private readonly connection: Connection,
    private readonly limit: Milliseconds,
  ) {}

  /**
   * @param wait whose it is
   * @param isAstray a question of it may still be on its way on an earlier connection
   */
  start(wait: object, ask: Ask, value: string, isAstray: boolean, attempt: Attempt): void {
    const late = performance.now() + this.limit;
    const news = { trusted: isAstray ? undefined : this.connection.generation, late, end: late + ask.longest };
    const running = this.#errands.get(wait);
    if (running) {
      Object.assign(running, news, { again: true, spared: false });
      return running.wake?.();
    }
    if (this.#closed) return;
    const idle = { again: false, spared: false, tried: undefined, wake: undefined };
    const errand: Errand = { key: ask.key, value, ...idle, ...news };
    this.#errands.set(wait, errand);
    void this.#run(errand, attempt).finally(() => this.#errands.delete(wait));
  }

  /** What had the key under that value has it no more. */
  spare(key: string, value: string): void {
    for (const errand of this.#errands.values()) errand.spared ||= errand.key === key && errand.value === value;
  }

  /** Waits for what was tried once, for at most `limit` milliseconds; tries no more. */
  async close(limit: Milliseconds): Promise<void> {
    this.#closed = true;
    await atMost(limit, Promise.all([...this.#errands.values()].map(({ tried = Promise.resolve() }) => tried)));
  }

  async #run(errand: Errand, attempt: Attempt): Promise<void> {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(pause * 2, LAST_PAUSE)) {
      errand.again = false;
      const tried = attempt(errand.spared);
      errand.tried ??= tried?.catch(() => undefined);
      if (!tried && errand.spared) return;
      try {
        await tried;
        const isEnough = this.connection.generation === errand.trusted || performance.now() >= errand.late;
        if (tried && isEnough && !errand.again) return;
      } catch {
        // Not reached: again after the pause, for as long as it can matter.
      }
      if (!errand.again) await rest(errand, pause);
      if (performance.now() >= errand.end || this.#closed) return;
    }
  }
}

/** A pause, unless there is something to do before it is over. */
function rest(errand: Errand, pause: Milliseconds): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, pause).unref();
    errand.wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}
