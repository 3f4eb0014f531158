import { setImmediate as atEndOfTurn } from 'node:timers';
import type { Milliseconds } from '../../duration.js';

/** Looks that follow each other within this time are in quick succession, as in one turn of the event loop. */
const NEAR: Milliseconds = 0.1;

/** After so many of them the rest of the turn is a stretch: the immediate that tells its end costs as much as 20 to 100 looks. */
const BUSY = 32;

/** A stretch that is asked for the time this often is over, for a turn that awaits nothing but locks never ends by itself. */
const LONGEST = 128;

/** A part of a turn of the event loop for which one look at the clock has to do. */
export class Stretch {
  /** A time at or after its end, on `performance.now()`; undefined while it lasts. */
  end: Milliseconds | undefined = undefined;
}

/**
 * The time, for locks that are inside this process alone: there two looks at the clock are up to a fifth of what a lock and its
 * release cost. Where looks are rare, each is the true one. Where a turn of the event loop is full of them, the time stands
 * still for a stretch; who counts from a time of it counts from its `end` where more is to be promised, not less.
 * @see Linux: CLOCK_MONOTONIC_COARSE, the source of the idea
 */
export class CoarseClock {
  /** The stretch that is now, if any. */
  stretch: Stretch | undefined = undefined;
  #time: Milliseconds = -Infinity;
  /** In quick succession so far; in a stretch, since it began. */
  #looks = 0;
  #waitsForEnd = false;

  /** On `performance.now()`: now, or since the begin of the stretch. Never later than now, and never going back. */
  now(): Milliseconds {
    if (this.stretch !== undefined && (this.#looks += 1) < LONGEST) return this.#time;
    return this.#look();
  }

  /** Now; for who has a time of the stretch that still lasts, that time. */
  since(stretch: Stretch | undefined): Milliseconds {
    return stretch !== undefined && stretch === this.stretch ? this.now() : performance.now();
  }

  #look(): Milliseconds {
    const now = performance.now();
    if (this.stretch) this.#close(now);
    else this.#looks = now - this.#time < NEAR ? this.#looks + 1 : 1;
    this.#time = now;
    if (this.#looks > BUSY) this.#open();
    return now;
  }

  #open(): void {
    this.stretch = new Stretch();
    this.#looks = 0;
    if (this.#waitsForEnd) return;
    this.#waitsForEnd = true;
    const end = (): void => {
      this.#waitsForEnd = false;
      this.#looks = 0;
      if (this.stretch) this.#close(performance.now());
    };
    // Node's own, for mocked timers may be dropped without having run. Where time is mocked, its turns end as well.
    atEndOfTurn(end);
    if (globalThis.setImmediate !== atEndOfTurn) globalThis.setImmediate?.(end);
  }

  #close(now: Milliseconds): void {
    this.stretch!.end = now;
    this.stretch = undefined;
  }
}
