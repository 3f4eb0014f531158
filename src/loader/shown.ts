import { show } from '../errors.js';

const ITEMS = 8;

/** A value as messages show it: on one line, in TOML's words, without the credentials of a URL. */
export function shown(value: unknown): string {
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return number(value);
  if (value instanceof Date) return `the date ${Number.isNaN(value.getTime()) ? '(invalid)' : value.toISOString()}`;
  if (Array.isArray(value)) return list(value);
  return isTable(value) ? 'a table' : show(value);
}

/** What stands in a message for a secret: its kind, nothing of its text. */
export function hidden(value: unknown): string {
  return `*** (a secret, given as ${kindOf(value)})`;
}

/** The kind of a value alone, for places where a secret may have slipped in. */
export function kindOf(value: unknown): string {
  if (typeof value === 'string') return 'text';
  if (Array.isArray(value)) return 'a list';
  if (isTable(value)) return 'a table';
  if (value === null || value === undefined) return String(value);
  return value instanceof Date ? 'a date' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
}

/** An object of keys and values, as TOML's tables are; not a list, a date, a map. */
export function isTable(value: unknown): value is Record<string, unknown> {
  return Object.prototype.toString.call(value) === '[object Object]';
}

/** Whether a URL with a comma in its password has become several items: then any may be a piece of it. */
function isTorn(items: readonly unknown[]): boolean {
  const texts = items.filter((item) => typeof item === 'string');
  const begins = texts.some((text) => text.includes('://') && !text.includes('@'));
  return begins && texts.some((text) => text.includes('@') && !text.includes('://'));
}

function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

function list(items: readonly unknown[]): string {
  const one = isTorn(items) ? () => '"***"' : (item: unknown) => (Array.isArray(item) ? 'a list' : shown(item));
  const first = items.slice(0, ITEMS).map(one);
  if (items.length > ITEMS) first.push(`… (${items.length} items)`);
  return `[${first.join(', ')}]`;
}
