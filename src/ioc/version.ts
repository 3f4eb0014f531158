import { InvalidArgumentError } from '../errors.js';

const SHAPE = /^v\d+(\.\d+)*$/;

/**
 * Orders versions by their numbers: `v1 < v1.2.0 < v1.10 < v2`. What is left out counts as 0, so `v1` and `v1.0` are equal.
 * @returns below, at or above 0, as `Array.sort` takes it
 * @throws {InvalidArgumentError} one of them is no version
 */
export function compareVersions(a: string, b: string): number {
  const left = numbers(a);
  const right = numbers(b);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0n) - (right[i] ?? 0n);
    if (difference !== 0n) return difference < 0n ? -1 : 1;
  }
  return 0;
}

/**
 * The version itself, once it is seen to be one.
 * @param argument what the version belongs to, named in the error
 * @throws {InvalidArgumentError} it is not `v` and numbers
 */
export function checkVersion(argument: string, version: unknown): string {
  if (typeof version === 'string' && SHAPE.test(version)) return version;
  throw new InvalidArgumentError(argument, version, 'v and numbers with dots between, such as "v1" or "v1.2.0"');
}

/** Without an upper bound: a date such as v20240131235959999999 is a version too. */
function numbers(version: string): bigint[] {
  return checkVersion('version', version).slice(1).split('.').map(BigInt);
}
