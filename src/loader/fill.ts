import { ConfigError, type Mistake } from './errors.js';
import { fields, type Field } from './field.js';
import { Wrong } from './kind.js';
import type { Setting } from './settings.js';
import { hidden, shown } from './shown.js';

interface Origin {
  readonly key: string;
  readonly source: string;
  /** The value that came from there; another one on the field was put there by code. */
  readonly value: unknown;
}

const origins = new WeakMap<object, Map<string, Origin>>();
const DEFAULT = 'default in code';

/** Puts checked values on an object and remembers where each came from. */
export function put(path: string, object: object, settings: readonly Setting[]): void {
  const mistakes: Mistake[] = [];
  place(path, object as Record<string, unknown>, settings, mistakes);
  if (mistakes.length > 0) throw new ConfigError(mistakes);
}

/**
 * The error for a value that its field allows and another field, or the world, does not.
 * @param object whose field it is
 * @param property as declared, `tlsCaFile`
 * @param right what would be right, completing "expected …"
 */
export function refuse(object: object, property: string, right: string): ConfigError {
  const field = fields(object.constructor).find((one) => one.property === property);
  const value = (object as Record<string, unknown>)[property];
  const origin = origins.get(object)?.get(property);
  const key = origin?.key ?? field?.key ?? property;
  const source = origin && Object.is(origin.value, value) ? origin.source : 'set in code';
  return new ConfigError([{ key, source, found: field?.secret ? hidden(value) : shown(value), right }]);
}

/** The values of the declared fields by TOML key; a secret is `'***'` unless it is empty. */
export function describe(object: object): Record<string, unknown> {
  return Object.fromEntries(
    fields(object.constructor).map(({ key, property, secret }) => {
      const value = (object as Record<string, unknown>)[property];
      return [key, secret ? (isEmpty(value) ? value : '***') : inner(value)];
    }),
  );
}

function place(path: string, object: Record<string, unknown>, settings: readonly Setting[], mistakes: Mistake[]): void {
  const remembered = new Map<string, Origin>();
  for (const setting of settings) {
    const { field, source = DEFAULT } = setting;
    const key = `${path}.${field.key}`;
    if (setting.source === undefined && !setting.table) checkDefault(field, key, object, mistakes);
    else object[field.property] = valueOf(key, setting, object[field.property], mistakes);
    remembered.set(field.property, { key, source, value: object[field.property] });
  }
  origins.set(object, remembered);
}

function valueOf(
  key: string,
  { field, value, table, tables }: Setting,
  present: unknown,
  mistakes: Mistake[],
): unknown {
  const { shape } = field;
  if (table && shape.form === 'table') {
    const inside = typeof present === 'object' && present !== null ? present : new shape.type();
    place(key, inside as Record<string, unknown>, table, mistakes);
    return inside;
  }
  if (!tables) return Array.isArray(value) ? [...(value as unknown[])] : value;
  const type = (shape as { of: new () => Record<string, unknown> }).of;
  return tables.map((settings, i) => {
    const item = new type();
    place(`${key}[${i}]`, item, settings, mistakes);
    return item;
  });
}

/** A default out of bounds is how a field says that it must be given; a duration's may be written as text. */
function checkDefault(
  { property, shape, secret }: Field,
  key: string,
  object: Record<string, unknown>,
  mistakes: Mistake[],
): void {
  const value = object[property];
  if (shape.form === 'table' || value === undefined) return;
  const read = shape.form === 'one' ? shape.kind.fromValue(value) : longEnough(value, shape.minLength);
  if (!(read instanceof Wrong)) object[property] = read;
  else mistakes.push({ key, source: DEFAULT, found: secret ? hidden(value) : shown(value), right: read.right });
}

function longEnough(value: unknown, least: number): unknown {
  return Array.isArray(value) && value.length < least ? new Wrong(`a list of ${least} or more`) : value;
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === '' || (Array.isArray(value) && value.length === 0);
}

function inner(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inner);
  return typeof value === 'object' && value !== null && fields(value.constructor).length > 0 ? describe(value) : value;
}
