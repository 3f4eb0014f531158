import type { Mistake } from './errors.js';
import { envName, fields, tableType, type Field, type FieldsClass, type Shape } from './field.js';
import { Wrong, type Kind } from './kind.js';
import { hidden, isTable, kindOf, shown } from './shown.js';
import { TableLevel, type Found, type Level } from './source.js';

/** What a field is to hold, and where that was found; no source where nothing was given. */
export interface Setting {
  readonly field: Field;
  readonly source: string | undefined;
  /** For one value, and for a list of values. */
  readonly value?: unknown;
  /** For a table. */
  readonly table?: readonly Setting[];
  /** For a list of tables. */
  readonly tables?: readonly (readonly Setting[])[];
}

/**
 * Reads the fields of one table from all sources; what is overridden is checked too.
 * @param levels the weakest first
 * @param path of the table, as messages name it
 */
export function readTable(
  of: readonly Field[],
  levels: readonly Level[],
  path: string,
  mistakes: Mistake[],
): readonly Setting[] {
  return of.map((field) => {
    const key = `${path}.${field.key}`;
    const found = levels.map((level) => level.find(field)).filter((one) => one !== undefined);
    if (field.shape.form === 'table') return readInside(field, field.shape.type, levels, found, key, mistakes);
    const read = found.map((one) => readOne(field, field.shape, levels, one, key, mistakes));
    return read.at(-1) ?? { field, source: undefined };
  });
}

function readInside(
  field: Field,
  type: FieldsClass,
  levels: readonly Level[],
  found: readonly Found[],
  key: string,
  mistakes: Mistake[],
): Setting {
  for (const one of found) if (!isTable(one.raw)) mistakes.push(mistake(field, key, one, noTable(field, type, one)));
  const inside = levels.map((level) => level.inside(field)).filter((level) => level !== undefined);
  return { field, source: found.at(-1)?.source, table: readTable(fields(type), inside, key, mistakes) };
}

function noTable(field: Field, type: FieldsClass, found: Found): string {
  const first = fields(type)[0]!.key;
  if (!found.isText) return `a table, such as ${field.key}.${first} = …`;
  const variable = found.source.split(' ').at(-1)!;
  return `a variable for each of its fields, such as ${envName(variable, first)}`;
}

function readOne(
  field: Field,
  shape: Shape,
  levels: readonly Level[],
  found: Found,
  key: string,
  mistakes: Mistake[],
): Setting {
  if (shape.form === 'list' && typeof shape.of === 'function') {
    return { field, source: found.source, tables: readTables(field, shape.of, levels, found, key, mistakes) };
  }
  const value = shape.form === 'one' ? readValue(shape.kind, found) : readList(shape as ListOfValues, found);
  if (value instanceof Wrong) mistakes.push(mistake(field, key, found, value.right, value.suggestion));
  return { field, source: found.source, value };
}

type ListOfValues = { of: Kind; minLength: number };

function readValue(kind: Kind, { raw, isText }: Found): unknown {
  return isText ? kind.fromText(raw as string) : kind.fromValue(raw);
}

function readList({ of, minLength }: ListOfValues, { raw, isText }: Found): unknown {
  const right = `a list${minLength > 0 ? ` of ${minLength} or more` : ''}, each ${of.right}`;
  if (!isText && !Array.isArray(raw)) return new Wrong(`${right}, in brackets and separated by commas`);
  const items = isText ? (raw as string).split(',').map((item) => item.trim()) : (raw as unknown[]);
  if (isText && items.includes('')) return new Wrong(`${right}, separated by commas, none empty`);
  const values = items.map((item) => readValue(of, { raw: item, isText, source: '' }));
  const at = values.findIndex((value) => value instanceof Wrong);
  if (at >= 0) return new Wrong(`${right}; item ${at + 1} is not`);
  return values.length < minLength ? new Wrong(right) : values;
}

function readTables(
  field: Field,
  type: FieldsClass,
  levels: readonly Level[],
  found: Found,
  key: string,
  mistakes: Mistake[],
): readonly (readonly Setting[])[] {
  const right = found.isText ? 'a list of tables in a TOML file, not in the environment' : 'a list of tables';
  const items = found.isText ? undefined : found.raw;
  const { minLength } = field.shape as { minLength: number };
  if (!Array.isArray(items) || !items.every(isTable) || items.length < minLength) {
    mistakes.push(mistake(field, key, found, minLength > 0 ? `${right}, ${minLength} or more` : right));
    return [];
  }
  return items.map((item, i) =>
    readTable(fields(type), itemLevels(levels, field, found, item, i), `${key}[${i}]`, mistakes),
  );
}

/** Lists replace each other as wholes, so that a table of a list has a single source. */
function itemLevels(levels: readonly Level[], field: Field, found: Found, item: object, i: number): readonly Level[] {
  const level = levels.find((one) => one.find(field)?.raw === found.raw);
  if (!(level instanceof TableLevel)) return [];
  const { of, path } = level;
  return [new TableLevel(of, item as Record<string, unknown>, [...path, field.key, i])];
}

function mistake(field: Field, key: string, found: Found, right: string, suggestion?: string): Mistake {
  const text = tableType(field.shape) ? kindOf(found.raw) : field.secret ? hidden(found.raw) : shown(found.raw);
  return { key, source: found.source, found: text, right, ...(suggestion === undefined ? {} : { suggestion }) };
}
