// @ts-check
import { openSync, writeSync } from 'node:fs';

/** This moment on the clock that all processes of a machine share, in milliseconds. */
export function now() {
  return Number(process.hrtime.bigint()) / 1e6;
}

/**
 * What a process has to say of itself, a line for each event, written at once: SIGKILL takes nothing of it away.
 *
 *   W id key time                       waits for a key from now on
 *   A id time until fence               has it; the fence is 0 for those who have none
 *   U id time until                     has refreshed it
 *   R id time                           is about to give it back; also: has been told that it is lost
 *   E id time code text                 has been told that it will not have it
 *   M key time until                    may have it without knowing, for its connection broke
 *   S id key from to fence accepted     wrote to the register between the two; 1 or 0
 *   Z from to                           stood still by itself, as long synchronous work makes it
 *   F count                             did so many faults to itself that are not told otherwise
 *   L time text                         was not served in time
 *   X time text                         what should not happen
 *   Q time                              exits now, whatever it holds
 *   D time                              has done everything
 */
export class Diary {
  #file;

  /** @param {string} path */
  constructor(path) {
    this.#file = openSync(path, 'a');
  }

  /** @param {...(string | number)} words */
  note(...words) {
    writeSync(this.#file, `${words.join(' ')}\n`);
  }

  /** @param {unknown} error */
  trouble(error) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.note('X', now(), text.replaceAll('\n', ' / '));
  }
}
