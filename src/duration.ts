import { InvalidArgumentError } from './errors.js';

/** Time in whole milliseconds. */
export type Milliseconds = number;

/** A length of time: a whole number of milliseconds, or Go's text for one: `"500ms"`, `"10s"`, `"1m30s"`, `"1.5h"`. */
export type Duration = Milliseconds | string;

/** Ten years; what is longer is a mistake, and would overflow a timer or a server's clock. */
export const LONGEST: Milliseconds = 10 * 365 * 24 * 3_600_000;

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const PART = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/**
 * Reads a duration; text follows Go's `time.ParseDuration`.
 * @param name what the duration is for, named in the error
 * @param least the shortest that is accepted, in milliseconds
 * @throws {InvalidArgumentError} it is not a whole number of milliseconds from `least` to ten years
 */
export function milliseconds(name: string, value: unknown, least: Milliseconds = 0): Milliseconds {
  const found = typeof value === 'string' ? parse(value) : value;
  if (typeof found === 'number' && Number.isInteger(found) && found >= least && found <= LONGEST) return found;
  throw new InvalidArgumentError(name, value, rightDuration(least));
}

/** What would be right where a duration is wanted, as messages say it. */
export function rightDuration(least: Milliseconds = 0): string {
  return `whole milliseconds from ${least} to ten years, as a number or as text such as "500ms", "10s", "1m30s"`;
}

function parse(text: string): number {
  if (text === '0') return 0;
  let sum = 0;
  let at = 0;
  while (at < text.length) {
    PART.lastIndex = at;
    const part = PART.exec(text);
    if (!part) return NaN;
    sum += Number(part[1]) * (UNITS[part[2]!] as number);
    at = PART.lastIndex;
  }
  // Sums such as 0.1 s + 0.2 s carry a rounding error far below a nanosecond; it is not the user's fraction.
  const whole = Math.round(sum);
  return at > 0 && Math.abs(sum - whole) < 1e-7 ? whole : NaN;
}

/** A duration as Go prints it: `1m30s`, `250ms`. */
export function durationText(ms: Milliseconds): string {
  if (ms < 1_000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1_000;
  return `${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`;
}
