/** One signal of everybody who waits for the same stop: it aborts as soon as one of theirs does. */
export class Hurry {
  readonly #controller = new AbortController();
  readonly #leave: (() => void)[] = [];

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  join(signal: AbortSignal | undefined): void {
    if (!signal) return;
    const abort = () => this.#controller.abort(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    this.#leave.push(() => signal.removeEventListener('abort', abort));
  }

  /** Lets go of the signals, which may live much longer. */
  end(): void {
    for (const leave of this.#leave.splice(0)) leave();
  }
}

/** Waits for a promise, and no longer than until the signal aborts; rejects with its reason then. */
export async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  promise.catch(() => {}); // after an abort nobody hears how it ended
  let abort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
  });
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
