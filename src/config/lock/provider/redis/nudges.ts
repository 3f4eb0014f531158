import type { Milliseconds } from '../../../../duration.js';
import { atMost } from './at_most.js';

/** For how long a key is let be free for those who stand in no line. */
const FREE: Milliseconds = 10;
/** Who took it meanwhile tells nobody when he lets go; he is looked after so often, and by the waiters themselves later on. */
const AGAIN: Milliseconds = 100;
const LAST: Milliseconds = 1_000;

/**
 * Ends the pauses of keys that were let be free: whoever released such a key, and has not taken it again by then, has it handed
 * on to those of other processes. If it never does, for its process has ended, they ask for themselves after a second.
 */
export class Nudges {
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** @param nudge has the key handed on; false when a holder that tells nobody has it */
  constructor(private readonly nudge: (key: string) => Promise<boolean>) {}

  start(key: string, pause = FREE, end = performance.now() + LAST): void {
    clearTimeout(this.#timers.get(key));
    const timer = setTimeout(() => {
      this.#timers.delete(key);
      this.nudge(key).then(
        (done) => !done && performance.now() < end && this.start(key, AGAIN * (0.75 + Math.random() / 2), end),
        () => undefined,
      );
    }, pause);
    // It keeps no process alive.
    this.#timers.set(key, timer.unref());
  }

  /** The key is taken: there is nothing to hand on. */
  stop(key: string): void {
    const timer = this.#timers.get(key);
    if (!timer) return;
    clearTimeout(timer);
    this.#timers.delete(key);
  }

  /** Makes an end of all pauses now. */
  async close(limit: Milliseconds): Promise<void> {
    const keys = [...this.#timers.keys()];
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await atMost(limit, Promise.allSettled(keys.map((key) => this.nudge(key))));
  }
}
