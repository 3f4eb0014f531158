import { InvalidArgumentError } from '../errors.js';
import { isTable } from './shown.js';

/** Whether an option's value is right, and what would be. */
export type Rule = readonly [isRight: (value: unknown) => boolean, right: string];

export const FLAG: Rule = [(value) => typeof value === 'boolean', 'true or false'];
export const NUMBER: Rule = [(value) => typeof value === 'number' && Number.isFinite(value), 'a finite number'];
export const WHOLE: Rule = [(value) => Number.isSafeInteger(value), 'a whole number'];
export const LENGTH: Rule = [
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  'a whole number, 0 or more',
];

const COMMON: Readonly<Record<string, Rule>> = {
  about: [(value) => typeof value === 'string' && value.trim() !== '', 'a sentence that tells what the value does'],
  name: [(value) => value === undefined || typeof value === 'string', 'a TOML key'],
};

/**
 * Checks what a decorator was given; an option that is undefined counts as left out.
 * @throws {InvalidArgumentError} an option is missing, unknown, or of the wrong kind
 */
export function check(decorator: string, options: unknown, rules: Readonly<Record<string, Rule>>): void {
  if (!isTable(options)) throw new InvalidArgumentError(`@${decorator}`, options, 'options with `about`');
  const all = { ...COMMON, ...rules };
  for (const [name, value] of Object.entries({ about: undefined, ...options })) {
    const rule = Object.hasOwn(all, name) ? all[name] : undefined;
    if (!rule) throw new InvalidArgumentError(`@${decorator}`, name, `the options ${Object.keys(all).join(', ')}`);
    const [isRight, right] = rule;
    if ((name === 'about' || value !== undefined) && !isRight(value)) {
      throw new InvalidArgumentError(`@${decorator} ${name}`, value, right);
    }
  }
}

/** Checks that the lower of two limits is not above the higher. */
export function amounts(decorator: string, low: string, least = -Infinity, high: string, most = Infinity): void {
  if (least > most) throw new InvalidArgumentError(`@${decorator} ${low}`, least, `${high} (${most}) or less`);
}
