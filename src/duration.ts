import { InvalidArgumentError } from './errors.js';

/** Time in whole milliseconds. */
export type Milliseconds = number;

/** A length of time: a whole number of milliseconds, or Go's text for one: `"500ms"`, `"10s"`, `"1m30s"`, `"1.5h"`. */
export type Duration = Milliseconds | string;

/** Ten years; what is longer is a mistake, and would overflow a timer or a server's clock. */
export const LONGEST: Milliseconds = 10 * 365 * 24 * 3_600_000;

const EXAMPLES = '"500ms", "10s", "1m30s"';

/** Nanoseconds of a unit; text is summed in them, as Go does, so that no fraction of binary floating point gets in. */
const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
const PER_MS = 1_000_000n;
/** A longer text can only be zeros or beyond the longest duration; it is not worth the work of exact arithmetic. */
const LONGEST_PART = 40;

/**
 * Reads a duration; text follows Go's `time.ParseDuration`.
 * @param name what the duration is for, named in the error
 * @param least the shortest that is accepted, in milliseconds
 * @throws {InvalidArgumentError} it is not a whole number of milliseconds from `least` to ten years
 */
export function milliseconds(name: string, value: unknown, least: Milliseconds = 0): Milliseconds {
  const found = typeof value === 'string' ? (known.get(value) ?? read(value)) : value;
  if (typeof found === 'number' && Number.isInteger(found) && found >= least && found <= LONGEST) return found + 0;
  throw new InvalidArgumentError(name, value, rightDuration(least));
}

/** What would be right where a duration is wanted, as messages say it. */
export function rightDuration(least: Milliseconds = 0): string {
  return `whole milliseconds from ${least} to ten years, as a number or as text such as ${EXAMPLES}`;
}

/** The same where there is nothing but text. */
export function rightDurationText(least: Milliseconds = 0): string {
  return `a duration from ${least}ms to ten years such as ${EXAMPLES}`;
}

/** What was read before: a program spells few durations, and spells them often. */
const known = new Map<string, number>();
const KNOWN_MOST = 256;

function read(text: string): number {
  const ms = parse(text);
  if (known.size < KNOWN_MOST && text.length < LONGEST_PART) known.set(text, ms);
  return ms;
}

/** The whole milliseconds of a text; NaN when it is no duration, or not a whole number of them. */
function parse(text: string): number {
  const start = text.startsWith('+') ? 1 : 0;
  if (text.slice(start) === '0') return 0;
  let sum = 0n;
  let at = start;
  while (at < text.length) {
    PART.lastIndex = at;
    const [part, whole = '', fraction = '', unit = ''] = PART.exec(text) ?? [];
    if (part === undefined || whole + fraction === '' || part.length > LONGEST_PART) return NaN;
    sum += nanoseconds(whole, fraction, UNITS[unit]!);
    at = PART.lastIndex;
  }
  return at > start && sum % PER_MS === 0n ? Number(sum / PER_MS) : NaN;
}

/** What is below a nanosecond is cut off, as Go does. */
function nanoseconds(whole: string, fraction: string, unit: bigint): bigint {
  return BigInt(whole || 0) * unit + (BigInt(fraction || 0) * unit) / 10n ** BigInt(fraction.length);
}

/** A duration as Go prints it: `1m30s`, `250ms`. */
export function durationText(ms: Milliseconds): string {
  if (ms === 0) return '0s';
  if (ms < 1_000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1_000;
  return `${hours ? `${hours}h` : ''}${hours || minutes ? `${minutes}m` : ''}${seconds}s`;
}

/** Longest delay of one Node timer; a longer one would fire at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** A delay in milliseconds as a timer takes it, 24.8 days at most; who wants more looks again when it fires. */
export function timerDelay(ms: number): number {
  return Math.min(Math.max(0, Math.ceil(ms)), LONGEST_TIMER);
}
