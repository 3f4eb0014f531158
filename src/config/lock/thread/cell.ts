import type { Milliseconds } from '../../../duration.js';
import type { LossReason } from '../errors.js';
import type { RenewalFigures } from '../renewal.js';

/**
 * `performance.now()` begins anew in every thread, Node's high-resolution time does not. The difference is read from both
 * sides: what is told to another thread is never later than it was, nor is what is read there.
 */
const OFFSET = { told: -Infinity, read: Infinity };
for (let time = 0; time < 5; time += 1) {
  const [before, common, after] = [performance.now(), commonTime(), performance.now()];
  OFFSET.told = Math.max(OFFSET.told, common - after);
  OFFSET.read = Math.min(OFFSET.read, common - before);
}

/** A moment of this thread's `performance.now()`, as all threads of the process understand it; never a later one. */
export function told(moment: Milliseconds): Milliseconds {
  return moment + OFFSET.told;
}

/** The same the other way round; never later either. */
export function read(common: Milliseconds): Milliseconds {
  return common - OFFSET.read;
}

function commonTime(): Milliseconds {
  return Number(process.hrtime.bigint()) / 1e6;
}

const MICROSECONDS = 1_000;
const MILLION = 1e6;
const REASONS = ['expired', 'unreachable', 'maxHold'] as const satisfies LossReason[];

/** What has become of the lease of a cell. */
const FATE = { held: 0n, ended: 1n, taken: 2n } as const;

/** What two threads know of one lease: read and written in one step each, so that a busy thread sees the truth as well. */
export class Cell {
  readonly #words: BigInt64Array;

  /** @param memory of a cell that another thread made */
  constructor(readonly memory = new SharedArrayBuffer(3 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.#words = new BigInt64Array(memory);
  }

  /** The deadline, on `performance.now()` of the thread that looks; never later than what was written. */
  get until(): Milliseconds {
    return read(Number(Atomics.load(this.#words, 0)) / MICROSECONDS);
  }

  set until(moment: Milliseconds) {
    Atomics.store(this.#words, 0, BigInt(Math.floor(told(moment) * MICROSECONDS)));
  }

  /** Why it is lost, if its deadline passes. */
  get atDeadline(): LossReason {
    return REASONS[Number(Atomics.load(this.#words, 1))]!;
  }

  set atDeadline(reason: LossReason) {
    Atomics.store(this.#words, 1, BigInt(Math.max(0, (REASONS as readonly string[]).indexOf(reason))));
  }

  /** Whether nothing ended it so far. */
  get held(): boolean {
    return Atomics.load(this.#words, 2) === FATE.held;
  }

  /** Whether the provider says that it is not ours any more. */
  get taken(): boolean {
    return Atomics.load(this.#words, 2) === FATE.taken;
  }

  /** Says how it ended; whoever comes first is right. */
  end(how: 'ended' | 'taken'): void {
    Atomics.compareExchange(this.#words, 2, FATE.held, FATE[how]);
  }
}

/** The figures of a thread's renewals, to be looked at from another. */
export class FigureBoard {
  readonly #words: BigInt64Array;

  /** @param memory of a board that another thread made */
  constructor(readonly memory = new SharedArrayBuffer(4 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.#words = new BigInt64Array(memory);
  }

  get figures(): Omit<RenewalFigures, 'leases'> {
    const [rounds, lag, maxLag, used] = Array.from(this.#words.keys(), (at) => Number(Atomics.load(this.#words, at)));
    return {
      rounds: rounds!,
      lag: lag! / MICROSECONDS,
      maxLag: maxLag! / MICROSECONDS,
      leastLeft: 1 - used! / MILLION,
    };
  }

  set figures({ rounds, lag, maxLag, leastLeft }: Omit<RenewalFigures, 'leases'>) {
    const words = [rounds, lag * MICROSECONDS, maxLag * MICROSECONDS, (1 - leastLeft) * MILLION];
    words.forEach((word, at) => Atomics.store(this.#words, at, BigInt(Math.round(word))));
  }
}
