import type { Field } from './field.js';
import { envName } from './field.js';
import { isTable } from './shown.js';

/** Keys and values without a prototype, so that no key means more than itself. */
export type Table = Readonly<Record<string, unknown>>;

/** What a source gives for one field. */
export interface Found {
  readonly raw: unknown;
  /** Text of the environment, still to be read; otherwise a value whose type must be right. */
  readonly isText: boolean;
  /** As messages say it. */
  readonly source: string;
}

/** A source as seen from one component, or from one of its tables. */
export interface Level {
  find(field: Field): Found | undefined;
  /** The same source one table further in. */
  inside(field: Field): Level | undefined;
}

/** One place that values come from: a file, a `.env`, the environment, code. */
export interface Source {
  section(component: string): Level | undefined;
}

/** Sections of tables: a TOML file, or the values given in code, whose keys may be the names of properties too. */
export class TableSource implements Source {
  constructor(
    readonly sections: Table,
    readonly places: (path: readonly (string | number)[]) => string,
    readonly isCode = false,
  ) {}

  section(component: string): Level | undefined {
    const section = Object.hasOwn(this.sections, component) ? this.sections[component] : undefined;
    return isTable(section) ? new TableLevel(this, section, [component]) : undefined;
  }
}

export class TableLevel implements Level {
  constructor(
    readonly of: TableSource,
    readonly table: Table,
    readonly path: readonly (string | number)[],
  ) {}

  find(field: Field): Found | undefined {
    const key = this.#spelling(field);
    return key === undefined ? undefined : { raw: this.table[key], isText: false, source: this.place(key) };
  }

  inside(field: Field): Level | undefined {
    const key = this.#spelling(field);
    const table = key === undefined ? undefined : this.table[key];
    return isTable(table) ? new TableLevel(this.of, table, [...this.path, key!]) : undefined;
  }

  /** Where a key stands, as messages say it. */
  place(...path: (string | number)[]): string {
    return this.of.places([...this.path, ...path]);
  }

  #spelling({ key, property }: Field): string | undefined {
    if (Object.hasOwn(this.table, key)) return key;
    return this.of.isCode && Object.hasOwn(this.table, property) ? property : undefined;
  }
}

/** Texts by variable name: the environment, or a `.env` file. What is empty counts as not set. */
export class TextSource implements Source {
  /**
   * @param kind what stands before a variable's name in messages
   * @param prefix of every name, `APP` for `APP_LOCK_PROVIDER`
   */
  constructor(
    readonly texts: Readonly<Record<string, string | undefined>>,
    readonly kind: string,
    readonly prefix: string,
  ) {}

  section(component: string): Level {
    return new TextLevel(this, component, '');
  }

  /** What a variable says. */
  given(name: string): Found | undefined {
    const text = Object.hasOwn(this.texts, name) ? this.texts[name] : undefined;
    return text ? { raw: text, isText: true, source: `${this.kind} ${name}` } : undefined;
  }
}

class TextLevel implements Level {
  constructor(
    readonly of: TextSource,
    readonly component: string,
    readonly path: string,
  ) {}

  find({ key }: Field): Found | undefined {
    return this.of.given(envName(this.component, this.path + key, this.of.prefix));
  }

  inside({ key }: Field): Level {
    return new TextLevel(this.of, this.component, `${this.path}${key}.`);
  }
}

const DEEPEST = 100;

/** A copy whose tables have no prototype; what is undefined is left out. */
export function plain(value: unknown, rename = (key: string) => key, depth = 0): unknown {
  if (depth > DEEPEST) return undefined;
  if (Array.isArray(value)) return value.map((item) => plain(item, rename, depth + 1));
  if (!isTable(value)) return value;
  const table = Object.create(null) as Record<string, unknown>;
  for (const [key, item] of Object.entries(value)) {
    if (item !== undefined) table[rename(key)] = plain(item, rename, depth + 1);
  }
  return table;
}
