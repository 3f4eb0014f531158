import type { LockLostError } from './errors.js';
import type { Lease } from './lease.js';
import { timerDelay } from './options.js';

/**
 * The AbortSignal of a lock: aborts when a hold is lost. Whoever looks at it after the event loop stalled sees the truth
 * in the very next statement: looking compares the deadline, instead of trusting that a timer has fired.
 */
export class LossSignal {
  readonly #controller = new AbortController();
  #lease: Lease | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    const { signal } = this.#controller;
    const look = (): void => void this.#lease?.alive(performance.now());
    // Own properties of this one signal; they fall through to what every AbortSignal has.
    for (const name of ['aborted', 'reason'] as const) {
      Object.defineProperty(signal, name, {
        get: () => (look(), Reflect.get(AbortSignal.prototype, name, signal) as unknown),
      });
    }
    const throwIfAborted = (): void => {
      if (signal.aborted) throw signal.reason;
    };
    Object.defineProperty(signal, 'throwIfAborted', { value: throwIfAborted });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether a hold was lost already: the next one needs a signal of its own. */
  get spent(): boolean {
    return this.#controller.signal.aborted;
  }

  granted(lease: Lease): void {
    this.#lease = lease;
    this.moved();
  }

  /** Tells the loss at the deadline even if nobody looks. Does not keep the process alive. */
  moved(): void {
    clearTimeout(this.#timer);
    const lease = this.#lease;
    if (!lease?.alive(performance.now())) return;
    this.#timer = setTimeout(() => this.moved(), timerDelay(lease.until - performance.now()));
    this.#timer.unref();
  }

  lost(error: LockLostError): void {
    this.rest();
    this.#controller.abort(error);
  }

  /** Nothing is held: nothing to watch. */
  rest(): void {
    this.#lease = undefined;
    clearTimeout(this.#timer);
  }
}
