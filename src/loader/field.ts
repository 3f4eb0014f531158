import { InvalidArgumentError } from '../errors.js';
import type { Kind } from './kind.js';

/** What is known of a declared field; documentation, the command line and messages all read it here. */
export interface FieldInfo {
  /** The name in the class, `connectTimeout`. */
  readonly property: string;
  /** The name in TOML, `connect_timeout`. */
  readonly key: string;
  /** `text`, `integer`, `number`, `flag`, `choice`, `duration`, `list of …`, `table`. */
  readonly kind: string;
  /** One sentence: what the value does. */
  readonly about: string;
  /** Whether the value must never be shown. */
  readonly secret: boolean;
  /** The limits in words: `1 or more`; empty when there are none. */
  readonly bounds: string;
  /** The fields of a table, or of each table of a list; empty otherwise. */
  readonly fields: readonly FieldInfo[];
}

/** Any class, whatever it is constructed with. */
export interface AnyClass {
  readonly prototype: object;
}

/** A class whose instances have declared fields. */
export type FieldsClass = new () => object;

/** What a field holds: one value, a list of values or of tables, a table. */
export type Shape =
  | { readonly form: 'one'; readonly kind: Kind }
  | { readonly form: 'list'; readonly of: Kind | FieldsClass; readonly minLength: number }
  | { readonly form: 'table'; readonly type: FieldsClass };

/** A field as it was declared. */
export interface Field {
  readonly property: string;
  readonly key: string;
  readonly about: string;
  readonly secret: boolean;
  readonly shape: Shape;
}

const declared = new WeakMap<object, Map<string, Field>>();

/** Remembers a field of a class; a class that extends it has the field too. */
export function declare(prototype: object, field: Field): void {
  const twin = fieldsOn(prototype).find((other) => other.property !== field.property && collide(other, field));
  if (twin)
    throw new InvalidArgumentError(`field ${field.property}`, field.key, `a key apart from that of ${twin.property}`);
  const own = declared.get(prototype) ?? new Map<string, Field>();
  if (own.has(field.property)) throw new InvalidArgumentError(`field ${field.property}`, 'a second decorator', 'one');
  declared.set(prototype, own.set(field.property, field));
}

/** The fields of a class, those of its bases first, in the order of their declaration. */
export function fields(type: AnyClass): readonly Field[] {
  return fieldsOn(type.prototype);
}

/**
 * The declared fields of a class, those of its bases first.
 * @returns an empty array for a class without any
 */
export function fieldsOf(type: AnyClass): readonly FieldInfo[] {
  return fields(type).map(({ property, key, about, secret, shape }) => ({
    property,
    key,
    about,
    secret,
    kind: kindText(shape),
    bounds: shape.form === 'one' ? shape.kind.bounds : boundsOfMany(shape),
    get fields() {
      const type = tableType(shape);
      return type ? fieldsOf(type) : [];
    },
  }));
}

/** The name of the variable that gives a key: `redis`, `pool.size`, `APP` make `APP_REDIS_POOL_SIZE`. */
export function envName(component: string, key: string, prefix = ''): string {
  const parts = [prefix.replace(/_+$/, ''), component, key].filter((part) => part !== '');
  return parts
    .join('_')
    .replace(/[^A-Za-z0-9]/g, '_')
    .toUpperCase();
}

/** The class of the tables inside, of a field that holds any. */
export function tableType(shape: Shape): FieldsClass | undefined {
  if (shape.form === 'table') return shape.type;
  return shape.form === 'list' && typeof shape.of === 'function' ? shape.of : undefined;
}

function fieldsOn(prototype: unknown): readonly Field[] {
  if (typeof prototype !== 'object' || prototype === null) return [];
  const found = new Map(fieldsOn(Object.getPrototypeOf(prototype)).map((field) => [field.property, field]));
  for (const [property, field] of declared.get(prototype) ?? []) found.set(property, field);
  return [...found.values()];
}

/** Two fields with one TOML key, or with one name in the environment (`pool.size` and `pool_size`). */
function collide(a: Field, b: Field): boolean {
  const names = new Set(keysOf(a).map((key) => envName('', key)));
  return keysOf(b).some((key) => names.has(envName('', key)));
}

/** The key of a field, and of each inside it, as messages and the environment name them: `pool`, `pool.size`. */
export function keysOf({ key, shape }: Field): string[] {
  const inside = shape.form === 'table' ? fields(shape.type).flatMap(keysOf) : [];
  return [key, ...inside.map((inner) => `${key}.${inner}`)];
}

function kindText(shape: Shape): string {
  if (shape.form === 'table') return 'table';
  if (shape.form === 'one') return shape.kind.name;
  return `list of ${typeof shape.of === 'function' ? 'table' : shape.of.name}`;
}

function boundsOfMany(shape: Shape): string {
  return shape.form === 'list' && shape.minLength > 0 ? `${shape.minLength} or more` : '';
}
