import { InvalidArgumentError } from '../errors.js';
import { isTable } from '../loader/index.js';
import { didYouMean, listed } from './suggest.js';

const WORD = /^[a-z][a-z0-9_]*$/;

/** @throws {InvalidArgumentError} it is no word in snake_case */
export function checkWord(argument: string, word: unknown): string {
  if (typeof word === 'string' && WORD.test(word)) return word;
  throw new InvalidArgumentError(argument, word, 'a word in snake_case, such as "go_cache"');
}

/** @throws {InvalidArgumentError} it is no finite number */
export function checkPriority(argument: string, priority: unknown): number {
  if (typeof priority === 'number' && Number.isFinite(priority)) return priority;
  throw new InvalidArgumentError(argument, priority, 'a finite number');
}

/**
 * Sees to it that options are an object of known keys, each of its kind; undefined counts as left out.
 * @param kinds for every key, whether a value is right, and what would be
 * @throws {InvalidArgumentError} a key is unknown, or a value of the wrong kind
 */
export function checkOptions(argument: string, options: unknown, kinds: Kinds): void {
  if (!isTable(options)) throw new InvalidArgumentError(argument, options, 'an object of options');
  for (const [key, value] of Object.entries(options)) {
    const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
    if (!kind) throw unknownKey(argument, key, Object.keys(kinds));
    if (value !== undefined && !kind[0](value)) throw new InvalidArgumentError(`${argument} ${key}`, value, kind[1]);
  }
}

/** For every key, whether a value is right, and what would be. */
type Kinds = Readonly<Record<string, readonly [(value: unknown) => boolean, string]>>;

export const FLAG = [(value: unknown) => typeof value === 'boolean', 'true or false'] as const;
export const ANY = [() => true, ''] as const;
export const SIGNAL = [(value: unknown) => value instanceof AbortSignal, 'an AbortSignal'] as const;

function unknownKey(argument: string, key: string, known: readonly string[]): InvalidArgumentError {
  return new InvalidArgumentError(argument, key, `the options ${listed(known)}${didYouMean(key, known)}`);
}
