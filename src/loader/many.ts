import { InvalidArgumentError } from '../errors.js';
import { fields, type FieldsClass } from './field.js';
import type { Kind } from './kind.js';
import { durationKind, flagKind, integerKind, numberKind, textKind } from './kinds.js';
import { check, FLAG, LENGTH, type Rule } from './options.js';
import { place, type FieldDecorator, type FieldOptions } from './place.js';

/** A field that holds a list; a class as `of` makes it a list of tables with that class's fields. */
export function list(
  options: FieldOptions & {
    /** What the items are; without it, text. */
    of?: keyof typeof ITEMS | FieldsClass;
    /** The fewest items that are right. */
    minLength?: number;
    /** Never shown. */
    secret?: boolean;
  },
): FieldDecorator {
  check('list', options, { of: OF, minLength: LENGTH, secret: FLAG });
  const of = options.of ?? 'text';
  if (typeof of === 'function') withFields('list of', of);
  return place('list', options, {
    form: 'list',
    of: typeof of === 'function' ? of : ITEMS[of],
    minLength: options.minLength ?? 0,
  });
}

/** A field that holds a table of its own: an object of a class with declared fields. */
export function table(type: FieldsClass, options: FieldOptions): FieldDecorator {
  withFields('table', type);
  check('table', options, {});
  return place('table', options, { form: 'table', type });
}

const ITEMS = {
  text: textKind({}),
  integer: integerKind({}),
  number: numberKind({}),
  flag: flagKind(),
  duration: durationKind(0, false),
} as const satisfies Record<string, Kind>;

const OF: Rule = [
  (value) => typeof value === 'function' || (typeof value === 'string' && Object.hasOwn(ITEMS, value)),
  `${Object.keys(ITEMS).join(', ')}, or a class with declared fields`,
];

function withFields(decorator: string, type: unknown): void {
  if (typeof type === 'function' && fields(type).length > 0) return;
  throw new InvalidArgumentError(`@${decorator}`, type, 'a class with declared fields');
}
