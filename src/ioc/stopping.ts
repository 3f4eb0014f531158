import { timerDelay } from '../duration.js';

/** A stop that was asked for. Everybody who waits for it may hurry it: it heeds the signals of all. */
export class Stopping {
  readonly #controller = new AbortController();
  readonly #leave: (() => void)[] = [];
  readonly #begun: Promise<void>;
  readonly #done: Promise<void>;

  /**
   * @param take gives the work its turn, which may come later
   * @param work the stop itself, hurried by the signal
   */
  constructor(take: (work: () => Promise<void>) => Promise<void>, work: (signal: AbortSignal) => Promise<void>) {
    let begin = () => {};
    this.#begun = new Promise((resolve) => (begin = resolve));
    this.#done = take(async () => {
      begin();
      try {
        await work(this.#controller.signal);
      } finally {
        for (const leave of this.#leave.splice(0)) leave();
      }
    });
  }

  /**
   * Waits until it is done.
   * @throws the signal's reason, when that aborts before its turn has come
   */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    if (!signal) return this.#done;
    // The timer of AbortSignal.timeout would let the process end before that.
    const alive = setInterval(() => undefined, timerDelay(Infinity));
    try {
      await Promise.race([this.#begun, this.#heed(signal)]);
      await this.#done;
    } finally {
      clearInterval(alive);
    }
  }

  /** Rejects once the signal aborts; the work hears of it too. */
  #heed(signal: AbortSignal): Promise<never> {
    const aborted = new Promise<never>((_, reject) => {
      const abort = () => {
        this.#controller.abort(signal.reason);
        reject(signal.reason as Error);
      };
      if (signal.aborted) return abort();
      signal.addEventListener('abort', abort, { once: true });
      this.#leave.push(() => signal.removeEventListener('abort', abort));
    });
    aborted.catch(() => {}); // nobody waits for it once the work has begun
    return aborted;
  }
}
