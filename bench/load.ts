import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.js';
import type { Body, Locks } from './contestants/index.js';
import type { Load, Section, Taken } from './job.js';

/** Runs a load until `to`: what was taken is there then, even if some still wait; all rest when these were served. */
export function runLoad(
  locks: Locks,
  load: Load,
  from: number,
  to: number,
): { readonly taken: Promise<Taken>; readonly rested: Promise<unknown> } {
  let rested!: Promise<unknown>;
  const taken = new Promise<Taken>((resolve) => {
    rested = new Run(locks, load, from, to, resolve).start();
  });
  return { taken, rested };
}

/** Of acquisitions without a stamp, so many go by between two looks at the clock. */
const LOOK_EVERY = 64;

class Run {
  #state: 'before' | 'measuring' | 'over' = 'before';
  #begun = 0;
  #cpu = process.cpuUsage();
  readonly #perWaiter: number[];
  readonly #asked: Float64Array;
  readonly #inside: Uint16Array;
  readonly #waits = new Numbers();
  readonly #begins = new Numbers();
  readonly #ends = new Numbers();
  readonly #who = new Numbers();
  #last = -1;
  #unstamped = 0;
  #handOvers = 0;
  #overlaps = 0;
  #errors = 0;
  #firstError = '';

  constructor(
    private readonly locks: Locks,
    private readonly load: Load,
    private readonly from: number,
    private readonly to: number,
    private readonly done: (taken: Taken) => void,
  ) {
    this.#perWaiter = new Array<number>(load.waiters).fill(0);
    this.#asked = new Float64Array(load.waiters);
    this.#inside = new Uint16Array(load.keys);
  }

  start(): Promise<unknown> {
    // A load that never lets the event loop turn looks at the clock by itself.
    setTimeout(() => this.#tick(now()), Math.max(0, this.from - now()));
    setTimeout(() => this.#tick(now()), Math.max(0, this.to - now()));
    return Promise.all(Array.from({ length: this.load.waiters }, (_, waiter) => this.#loop(waiter)));
  }

  async #loop(waiter: number): Promise<void> {
    const { keys, roam, stampEvery, rest } = this.load;
    const names = Array.from({ length: roam ? keys : 1 }, (_, at) => `key:${roam ? at : waiter % keys}`);
    let at = 0;
    let until = 0;
    let stamped = false;
    let key = roam ? 0 : waiter % keys;
    const body: Body = () => this.#hold(waiter, key, stamped);
    while (this.#state !== 'over') {
      stamped = until === 0;
      until = stamped ? stampEvery - 1 : until - 1;
      if (stamped) this.#tick((this.#asked[waiter] = now()));
      else if ((this.#unstamped += 1) % LOOK_EVERY === 0) this.#tick(now());
      if (roam) {
        key = at;
        at = at + 1 === keys ? 0 : at + 1;
      }
      try {
        await this.locks.use(names[roam ? key : 0]!, body);
      } catch (error) {
        await this.#failed(error);
      }
      if (rest > 0) await sleep(rest);
    }
  }

  #hold(waiter: number, key: number, stamped: boolean): Promise<unknown> | void {
    const began = stamped ? now() : 0;
    if (stamped) this.#tick(began);
    if (this.#inside[key]! > 0 && this.#state === 'measuring') this.#overlaps += 1;
    if (this.#state !== 'measuring') return this.#section(key);
    this.#perWaiter[waiter]! += 1;
    if (this.#last !== waiter) {
      this.#last = waiter;
      this.#handOvers += 1;
    }
    if (stamped) {
      this.#waits.push(began - this.#asked[waiter]!);
      this.#asked[waiter] = 0;
    }
    if (!this.load.log) return this.#section(key);
    this.#begins.push(began);
    this.#who.push(waiter);
    const index = this.#ends.push(began);
    const running = this.#section(key);
    return running?.then(() => this.#ends.set(index, now()));
  }

  #section(key: number): Promise<unknown> | void {
    const { section } = this.load;
    if (section === 'empty') return;
    this.#inside[key]! += 1;
    return pass(section).then(() => {
      this.#inside[key]! -= 1;
    });
  }

  #tick(time: number): void {
    if (this.#state === 'before' && time >= this.from) {
      this.#state = 'measuring';
      this.#begun = time;
      this.#cpu = process.cpuUsage();
    } else if (this.#state === 'measuring' && time >= this.to) {
      this.#state = 'over';
      this.done(this.#taken(time));
    }
  }

  async #failed(error: unknown): Promise<void> {
    if (this.#state === 'measuring') this.#errors += 1;
    this.#firstError ||= String(error);
    // A load that fails at once, each time, must not keep the process from hearing that it is over.
    await new Promise(setImmediate);
  }

  #taken(time: number): Taken {
    const { user, system } = process.cpuUsage(this.#cpu);
    const pending = this.#asked.filter((asked) => asked > 0).map((asked) => time - asked);
    // With a stamp on each hold nothing is counted outside of the two times, however late this is.
    const exact = this.load.stampEvery === 1;
    return {
      elapsed: exact ? this.to - this.from : time - this.#begun,
      perWaiter: this.#perWaiter,
      handOvers: this.#handOvers,
      overlaps: this.#overlaps,
      waits: this.#waits.all(),
      pending,
      begins: this.#begins.all(),
      ends: this.#ends.all(),
      who: Uint16Array.from(this.#who.all()),
      cpu: user + system,
      errors: this.#errors,
      firstError: this.#firstError,
    };
  }
}

function pass(section: Exclude<Section, 'empty'>): Promise<unknown> {
  return section === 'turn' ? new Promise(setImmediate) : sleep(section);
}

/** A list of numbers that grows without moving often. */
class Numbers {
  #numbers = new Float64Array(1 << 14);
  #length = 0;

  push(number: number): number {
    if (this.#length === this.#numbers.length) {
      const larger = new Float64Array(this.#length * 2);
      larger.set(this.#numbers);
      this.#numbers = larger;
    }
    this.#numbers[this.#length] = number;
    return this.#length++;
  }

  set(at: number, number: number): void {
    this.#numbers[at] = number;
  }

  all(): Float64Array {
    return this.#numbers.slice(0, this.#length);
  }
}
