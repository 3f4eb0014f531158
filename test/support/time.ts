import { setTimeout as sleep } from 'node:timers/promises';

const BEAT_MS = 5;
const ATTEMPTS = 8;

/** Keeps the event loop busy for `ms` milliseconds, as long synchronous work or a stopped process does. */
export function stall(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Tries until it succeeds; after `limit` milliseconds the last failure stands. */
export async function eventually<T>(attempt: () => T | Promise<T>, limit = 6_000): Promise<T> {
  const end = performance.now() + limit;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(10);
    }
  }
}

/** Measures how long this process stood still, as one does on a machine that others keep busy. */
class Pulse {
  #last = performance.now();
  #longest = 0;
  readonly #timer = setInterval(() => this.#beat(), BEAT_MS);

  /** The longest pause so far, in milliseconds. */
  stop(): number {
    this.#beat();
    clearInterval(this.#timer);
    return this.#longest;
  }

  #beat(): void {
    const now = performance.now();
    this.#longest = Math.max(this.#longest, now - this.#last - BEAT_MS);
    this.#last = now;
  }
}

/**
 * For promises about a process that runs, where time is measured or a lease must not run out. What fails counts, unless this
 * process stood still for more than `most` milliseconds meanwhile: that attempt says nothing, and there is another.
 */
export async function undisturbed<T>(most: number, attempt: () => Promise<T>): Promise<T> {
  for (let left = ATTEMPTS; ; left -= 1) {
    const pulse = new Pulse();
    try {
      return await attempt();
    } catch (error) {
      if (pulse.stop() <= most || left === 1) throw error;
    } finally {
      pulse.stop();
    }
  }
}
