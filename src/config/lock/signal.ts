import { timerDelay } from '../../duration.js';
import type { LockLostError } from './errors.js';
import type { Lease } from './lease.js';

const { aborted, reason } = Object.getOwnPropertyDescriptors(AbortSignal.prototype);

/** What is behind each signal of a lock, to be asked for the truth before the signal tells it. */
const BEHIND = new WeakMap<AbortSignal, LossSignal>();

/** The prototype of the signals of locks: `aborted`, `reason` and `throwIfAborted` look at the lease first. */
const LOOKING = Object.create(AbortSignal.prototype, {
  aborted: {
    ...aborted,
    get(this: AbortSignal): unknown {
      return BEHIND.get(this)?.look() !== undefined || aborted.get!.call(this);
    },
  },
  reason: {
    ...reason,
    get(this: AbortSignal): unknown {
      return BEHIND.get(this)?.look() ?? reason.get!.call(this);
    },
  },
  throwIfAborted: {
    value(this: AbortSignal): void {
      if (this.aborted) throw this.reason;
    },
  },
}) as AbortSignal;

/**
 * The AbortSignal of a lock: aborts when a hold is lost. Whoever looks at it after the event loop stalled sees the truth
 * in the very next statement: looking compares the deadline, instead of trusting that a timer has fired.
 */
export class LossSignal {
  readonly #controller = new AbortController();
  #lease: Lease | undefined;
  #timer: NodeJS.Timeout | undefined;
  #error: LockLostError | undefined;

  /** @param error of a hold that was lost before anybody had the signal */
  constructor(error?: LockLostError) {
    this.#error = error;
    const { signal } = this.#controller;
    if (error) this.#controller.abort(error);
    // An AbortSignal cannot be made but by a controller: what is made is given another prototype.
    Object.setPrototypeOf(signal, LOOKING);
    BEHIND.set(signal, this);
  }

  /** Why the hold is lost, at this very moment; undefined if it is not. */
  look(): LockLostError | undefined {
    this.#lease?.alive(performance.now());
    return this.#error;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether a hold was lost already: the next one needs a signal of its own. */
  get spent(): boolean {
    return this.#error !== undefined;
  }

  granted(lease: Lease): void {
    this.#lease = lease;
    this.moved();
  }

  /** Tells the loss at the deadline even if nobody looks. Does not keep the process alive. */
  moved(): void {
    clearTimeout(this.#timer);
    const left = this.#lease?.left(performance.now());
    if (!left) return;
    this.#timer = setTimeout(() => this.#due(), timerDelay(left));
    this.#timer.unref();
  }

  #due(): void {
    this.moved();
    if (this.#error) this.#controller.abort(this.#error);
  }

  lost(error: LockLostError): void {
    this.rest();
    if (this.#error) return;
    this.#error = error;
    // Whoever hears of it may take the key again at once: not in the middle of what has found the loss out.
    void Promise.resolve().then(() => this.#controller.abort(error));
  }

  /** Nothing is held: nothing to watch. */
  rest(): void {
    this.#lease = undefined;
    clearTimeout(this.#timer);
  }
}
