import { LONGEST, type Milliseconds } from '../duration.js';
import { InvalidArgumentError } from '../errors.js';
import type { Kind } from './kind.js';
import { choiceKind, durationKind, flagKind, integerKind, numberKind, textKind } from './kinds.js';
import { amounts, check, FLAG, LENGTH, NUMBER, type Rule, WHOLE } from './options.js';
import { place, type FieldDecorator, type FieldOptions } from './place.js';

/** A field that holds text. */
export function text(
  options: FieldOptions & {
    /** Never shown: not in messages, not in logs. */
    secret?: boolean;
    /** What the text must match. */
    pattern?: RegExp;
    /** In characters. */
    minLength?: number;
    /** In characters. */
    maxLength?: number;
    /** What would be right, as messages say it; without it, made from the rules above. */
    right?: string;
  },
): FieldDecorator {
  const rules = { secret: FLAG, pattern: PATTERN, minLength: LENGTH, maxLength: LENGTH, right: WORDS };
  check('text', options, rules);
  amounts('text', 'minLength', options.minLength, 'maxLength', options.maxLength);
  return one('text', options, textKind(options));
}

/** A field that holds a whole number, from `min` to `max`. */
export function integer(options: FieldOptions & { min?: number; max?: number }): FieldDecorator {
  check('integer', options, { min: WHOLE, max: WHOLE });
  amounts('integer', 'min', options.min, 'max', options.max);
  return one('integer', options, integerKind(options));
}

/** A field that holds a finite number, from `min` to `max`. */
export function number(options: FieldOptions & { min?: number; max?: number }): FieldDecorator {
  check('number', options, { min: NUMBER, max: NUMBER });
  amounts('number', 'min', options.min, 'max', options.max);
  return one('number', options, numberKind(options));
}

/** A field that holds true or false. */
export function flag(options: FieldOptions): FieldDecorator {
  check('flag', options, {});
  return one('flag', options, flagKind());
}

/**
 * A field that holds one of several words.
 * @param words the words, or a function that is asked for them whenever a value is checked
 */
export function choice(words: readonly string[] | (() => readonly string[]), options: FieldOptions): FieldDecorator {
  const ask = typeof words === 'function' ? words : () => words;
  if (ask === words || isWords(words)) {
    check('choice', options, {});
    return one('choice', options, choiceKind(ask));
  }
  throw new InvalidArgumentError('@choice words', words, 'one word or more, or a function that gives them');
}

/** A field that holds a length of time, in milliseconds; Go's text for one is read too. */
export function duration(
  options: FieldOptions & {
    /** The shortest that is right, in milliseconds. */
    least?: Milliseconds;
    /** The text "none" is right too, and means undefined. */
    none?: boolean;
  },
): FieldDecorator {
  check('duration', options, { least: LEAST, none: FLAG });
  return one('duration', options, durationKind(options.least ?? 0, options.none ?? false));
}

function isWords(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isText);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

const WORDS: Rule = [isText, 'a few words'];
const PATTERN: Rule = [(value) => value instanceof RegExp, 'a regular expression'];
const LEAST: Rule = [(value) => LENGTH[0](value) && (value as number) <= LONGEST, 'whole milliseconds'];

function one(decorator: string, options: FieldOptions & { secret?: boolean }, kind: Kind): FieldDecorator {
  return place(decorator, options, { form: 'one', kind });
}
