import type { Component } from './bind.js';
import type { Mistake } from './errors.js';
import { envName, fields, keysOf, tableType, type AnyClass, type Field } from './field.js';
import { Wrong } from './kind.js';
import { isTable, kindOf } from './shown.js';
import { TableLevel, TableSource, TextSource, type Source } from './source.js';
import { isSlip, nearest } from './suggest.js';

/** Keys that no field has. A section that several components share may have the fields of each. */
export function strangeKeys(sources: readonly Source[], components: readonly Component[]): Mistake[] {
  return tables(sources).flatMap((source) =>
    [...new Set(components.map(({ name }) => name))].flatMap((name) => {
      const types = components.filter((component) => component.name === name).map(({ type }) => type);
      const level = source.section(name);
      return level instanceof TableLevel ? inTable(level, types, name) : [];
    }),
  );
}

/**
 * Sections that are not tables, and sections whose name is a slip of a component's. A file may be shared with other
 * programs, so that other names are theirs; values given in code are for nobody else.
 */
export function strangeSections(sources: readonly Source[], components: readonly Component[]): Mistake[] {
  const names = [...new Set(components.map(({ name }) => name))];
  return tables(sources).flatMap((source) =>
    Object.entries(source.sections).flatMap(([key, section]): Mistake[] => {
      const place = { key, source: source.places([key]) };
      if (names.includes(key))
        return isTable(section) ? [] : [{ ...place, found: kindOf(section), right: `a table, [${key}]` }];
      const home = source.isCode ? undefined : homeOf(key, section, components);
      if (home !== undefined)
        return [{ ...place, found: 'a key outside of all sections', right: `it in the section [${home}]` }];
      const suggestion = names.find((name) => isSlip(key, name)) ?? (source.isCode ? nearest(key, names) : undefined);
      if (suggestion === undefined && !source.isCode) return [];
      const mistake = { ...place, found: 'a section that no component has', right: oneOf(names) };
      return [suggestion === undefined ? mistake : { ...mistake, suggestion }];
    }),
  );
}

/** Variables that are given and fill fields of two components, such as `A_B_C`, for `b_c` of `a` and for `c` of `a_b`. */
export function sharedVariables(sources: readonly Source[], components: readonly Component[]): Mistake[] {
  const mistakes: Mistake[] = [];
  const keys = components.flatMap(({ name, type }) =>
    fields(type)
      .flatMap(keysOf)
      .map((key) => [name, key] as const),
  );
  for (const source of sources.filter((one) => one instanceof TextSource)) {
    const owners = new Map<string, string>();
    for (const [name, inner] of keys) {
      const [key, variable] = [`${name}.${inner}`, envName(name, inner, source.prefix)];
      const owner = owners.get(variable) ?? key;
      owners.set(variable, owner);
      const given = owner === key ? undefined : source.given(variable);
      const found = `a variable that fills ${owner} as well`;
      const right = 'one for each: give the component or the field another name';
      if (given) mistakes.push({ key, source: given.source, found, right });
    }
  }
  return mistakes;
}

/**
 * The component whose header was forgotten: a word that only its field can mean. As another program's it would be passed over, and
 * `provider = "redis"` would leave the locks in memory.
 */
function homeOf(key: string, value: unknown, components: readonly Component[]): string | undefined {
  const isMeant = ({ key: of, shape }: Field): boolean =>
    of === key &&
    shape.form === 'one' &&
    shape.kind.name === 'choice' &&
    !(shape.kind.fromValue(value) instanceof Wrong);
  return components.find(({ type }) => fields(type).some(isMeant))?.name;
}

function tables(sources: readonly Source[]): TableSource[] {
  return sources.filter((source) => source instanceof TableSource);
}

function inTable(level: TableLevel, types: readonly AnyClass[], path: string): Mistake[] {
  const known = types.flatMap((type) => fields(type));
  return Object.keys(level.table).flatMap((key) => {
    const meant = known.filter((field) => field.key === key || (level.of.isCode && field.property === key));
    if (meant.length === 0) return [strangeKey(level, key, known, path)];
    const twice = meant.find((field) => field.key !== key && Object.hasOwn(level.table, field.key));
    if (twice) return [givenTwice(level, key, twice, path)];
    return inside(level, key, meant, path);
  });
}

function inside(level: TableLevel, key: string, meant: readonly Field[], path: string): Mistake[] {
  const types = meant.map(({ shape }) => tableType(shape)).filter((type) => type !== undefined);
  if (types.length === 0) return [];
  const value = level.table[key];
  const into = (table: unknown, ...at: (string | number)[]): TableLevel[] =>
    isTable(table) ? [new TableLevel(level.of, table, [...level.path, ...at])] : [];
  if (!Array.isArray(value)) return into(value, key).flatMap((table) => inTable(table, types, `${path}.${key}`));
  return value.flatMap((item, i) =>
    into(item, key, i).flatMap((table) => inTable(table, types, `${path}.${key}[${i}]`)),
  );
}

/** The value beside a strange key is not told: who mistypes `password` does not want to read it in a log. */
function strangeKey(level: TableLevel, key: string, known: readonly Field[], path: string): Mistake {
  const keys = known.map((field) => field.key);
  const suggestion = nearest(key, keys);
  const right = keys.length === 0 ? 'no keys at all' : oneOf(keys);
  const mistake = { key: `${path}.${key}`, source: level.place(key), found: 'a key that no field has', right };
  return suggestion === undefined ? mistake : { ...mistake, suggestion };
}

function givenTwice(level: TableLevel, key: string, { key: other }: Field, path: string): Mistake {
  return {
    key: `${path}.${key}`,
    source: level.place(key),
    found: `${other} beside it`,
    right: 'one of the two spellings',
  };
}

function oneOf(names: readonly string[]): string {
  return names.length > 1 ? `one of ${names.join(', ')}` : names.join();
}
