import type { LockLostError } from './errors.js';
import type { Lease } from './lease.js';
import { timerDelay } from './options.js';

const { aborted, reason } = Object.getOwnPropertyDescriptors(AbortSignal.prototype);

/** What is behind each signal of a lock, to be asked for the truth before the signal tells it. */
const BEHIND = new WeakMap<AbortSignal, LossSignal>();

/** What the signals of locks do otherwise than those that Node makes, between these and their own prototype. */
const LOOKING = Object.create(AbortSignal.prototype, {
  aborted: { ...aborted, get: looked(aborted.get!) },
  reason: { ...reason, get: looked(reason.get!) },
  throwIfAborted: {
    value(this: AbortSignal): void {
      if (this.aborted) throw this.reason;
    },
  },
}) as AbortSignal;

function looked(get: () => unknown): () => unknown {
  return function (this: AbortSignal) {
    BEHIND.get(this)?.look();
    return get.call(this);
  };
}

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
    // An AbortSignal cannot be made but by a controller: what is made is given another prototype.
    Object.setPrototypeOf(signal, LOOKING);
    BEHIND.set(signal, this);
  }

  look(): void {
    this.#lease?.alive(performance.now());
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
