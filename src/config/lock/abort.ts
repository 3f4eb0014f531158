/** Who wants to know that a signal aborts. */
export interface Abortable {
  aborted(): void;
}

/** Those who wait under one signal. One listener for all of them: of more than ten Node warns, as of a leak. */
class Listener {
  readonly waiting = new Set<Abortable>();

  handleEvent(): void {
    for (const one of this.waiting) one.aborted();
  }
}

const LISTENERS = new WeakMap<AbortSignal, Listener>();

/** Tells it once, when the signal aborts. */
export function onAbort(signal: AbortSignal, one: Abortable): void {
  let listener = LISTENERS.get(signal);
  if (!listener) {
    LISTENERS.set(signal, (listener = new Listener()));
    signal.addEventListener('abort', listener);
  }
  listener.waiting.add(one);
}

/** Tells it nothing any more; with the last one the signal has no listener of ours. */
export function ignoreAbort(signal: AbortSignal, one: Abortable): void {
  const listener = LISTENERS.get(signal);
  if (!listener?.waiting.delete(one) || listener.waiting.size > 0) return;
  LISTENERS.delete(signal);
  signal.removeEventListener('abort', listener);
}
