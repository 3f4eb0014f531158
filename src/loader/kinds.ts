import { durationText, milliseconds, rightDuration, rightDurationText, type Milliseconds } from '../duration.js';
import { InvalidArgumentError } from '../errors.js';
import { Wrong, type Kind } from './kind.js';
import { nearest } from './suggest.js';

interface Range {
  min?: number | undefined;
  max?: number | undefined;
}

export function integerKind(range: Range): Kind {
  const isRight = (value: number) => Number.isSafeInteger(value) && within(value, range);
  return numeric('integer', 'a whole number', range, isRight, /^-?(0|[1-9]\d*)$/);
}

export function numberKind(range: Range): Kind {
  const isRight = (value: number) => Number.isFinite(value) && within(value, range);
  return numeric('number', 'a number', range, isRight, /^-?(\d+(\.\d+)?|\.\d+)(e[+-]?\d+)?$/i);
}

export function flagKind(): Kind {
  const right = 'true or false';
  const texts = new Map(Object.entries({ true: true, '1': true, false: false, '0': false }));
  return {
    name: 'flag',
    bounds: '',
    right,
    fromText: (text) => texts.get(text.toLowerCase()) ?? new Wrong(`${right} (or 1 or 0)`),
    fromValue: (value) => (typeof value === 'boolean' ? value : new Wrong(right + unquoted(value, flagKind()))),
  };
}

interface TextRule {
  pattern?: RegExp | undefined;
  minLength?: number | undefined;
  maxLength?: number | undefined;
  right?: string | undefined;
}

export function textKind({ pattern, minLength = 0, maxLength = Infinity, right }: TextRule): Kind {
  const length = span(minLength || undefined, Number.isFinite(maxLength) ? maxLength : undefined);
  const bounds =
    right ?? [length && `${length} characters`, pattern && `matches ${pattern}`].filter(Boolean).join(', ');
  const wrong = new Wrong(right ?? (bounds === '' ? 'text' : `text, ${bounds}`));
  const isRight = (text: string) =>
    text.length >= minLength &&
    text.length <= maxLength &&
    (!pattern || new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).test(text));
  return {
    name: 'text',
    bounds,
    right: wrong.right,
    fromText: (text) => (isRight(text) ? text : wrong),
    fromValue: (value) =>
      typeof value !== 'string' ? new Wrong(`${wrong.right}, in quotes`) : isRight(value) ? value : wrong,
  };
}

/** @param words asked each time, so that a table of providers may grow */
export function choiceKind(words: () => readonly string[]): Kind {
  const right = () =>
    words()
      .map((word) => JSON.stringify(word))
      .join(' or ');
  const read = (value: unknown) =>
    typeof value === 'string' && words().includes(value)
      ? value
      : new Wrong(right(), typeof value === 'string' ? nearest(value, words()) : undefined);
  return {
    name: 'choice',
    get bounds() {
      return right();
    },
    get right() {
      return right();
    },
    fromText: read,
    fromValue: read,
  };
}

/** @param none whether the text "none" is right too, and means undefined */
export function durationKind(least: Milliseconds, none: boolean): Kind {
  const orNone = none ? ', or "none"' : '';
  const right = rightDuration(least) + orNone;
  const reading = (expected: string) => (value: unknown) => {
    if (none && value === 'none') return undefined;
    try {
      return milliseconds('duration', value, least);
    } catch (error) {
      if (error instanceof InvalidArgumentError) return new Wrong(expected);
      throw error;
    }
  };
  const bounds = `${least > 0 ? `${durationText(least)} or more` : ''}${none ? `${least > 0 ? ', ' : ''}or "none"` : ''}`;
  const fromText = reading(rightDurationText(least) + orNone);
  return { name: 'duration', bounds, right, fromText, fromValue: reading(right) };
}

/** `1 or more`, `1 to 9`, `at most 9`; empty without limits. */
function span(min: number | undefined, max: number | undefined): string {
  if (min !== undefined && max !== undefined) return `${min} to ${max}`;
  if (min !== undefined) return `${min} or more`;
  return max === undefined ? '' : `at most ${max}`;
}

function within(value: number, { min = -Infinity, max = Infinity }: Range): boolean {
  return value >= min && value <= max;
}

function numeric(name: string, noun: string, range: Range, isRight: (value: number) => boolean, form: RegExp): Kind {
  const bounds = span(range.min, range.max);
  const right = bounds === '' ? noun : `${noun}, ${bounds}`;
  const fromNumber = (value: number) => (isRight(value) ? value + 0 : new Wrong(right));
  const fromText = (text: string) => (form.test(text) ? fromNumber(Number(text)) : new Wrong(right));
  const fromValue = (value: unknown) =>
    typeof value === 'number' ? fromNumber(value) : new Wrong(right + unquoted(value, { fromText }));
  return { name, bounds, right, fromText, fromValue };
}

/** The usual slip in TOML: `"6379"` where 6379 was meant. */
function unquoted(value: unknown, kind: Pick<Kind, 'fromText'>): string {
  return typeof value === 'string' && !(kind.fromText(value) instanceof Wrong) ? ', without quotes' : '';
}
