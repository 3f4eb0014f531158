/** A part of a key as it stands in a text: `pool` and `size` of `pool.size = 1`. */
interface KeyPart {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** The beginning of a statement: a table's header, or a key and its `=`. */
interface Statement {
  readonly path: readonly (string | number)[];
  readonly line: number;
  /** `[redis]` or `password =`; what stands behind is not told. */
  readonly head: string;
}

/**
 * Finds the keys of a TOML text; judges nothing, and keeps going where the text is broken. The parser gives values
 * without saying where they stand; this gives the places.
 */
export class Scan {
  readonly statements: Statement[] = [];
  /** Every part of every key, those inside `{ … }` included, in the order of the text. */
  readonly parts: KeyPart[] = [];
  readonly #text: string;
  readonly #counts = new Map<string, number>();
  #at = 0;
  #table: readonly (string | number)[] = [];
  #line = 1;
  #counted = 0;

  constructor(text: string) {
    this.#text = text;
    for (this.#skip(BETWEEN); this.#at < text.length; this.#skip(BETWEEN)) {
      this.#statement();
      this.#skip(REST);
    }
  }

  #statement(): void {
    const start = this.#at;
    const line = this.#lineHere();
    const brackets = this.#skip(OPENING);
    const names = this.#key();
    const isWhole = this.#skip(brackets === '' ? EQUALS : CLOSING) !== '';
    const head = isWhole ? this.#text.slice(start, this.#at).trim() : '';
    if (brackets !== '') this.#table = this.#resolve(names, brackets === '[[');
    this.statements.push({ path: brackets === '' ? [...this.#table, ...names] : this.#table, line, head });
    if (brackets === '' && isWhole) this.#value();
  }

  #key(): string[] {
    const names: string[] = [];
    do {
      this.#skip(BLANK);
      const start = this.#at;
      const part = this.#skip(PART);
      if (part === '') break;
      names.push(unquoted(part));
      this.parts.push({ name: unquoted(part), start, end: this.#at });
      this.#skip(BLANK);
    } while (this.#skip(DOT) !== '');
    return names;
  }

  /** A value is passed over, whatever it is; only the keys inside inline tables are of interest. */
  #value(): void {
    for (let depth = 0; this.#at < this.#text.length;) {
      this.#skip(depth > 0 ? BETWEEN : BLANK);
      const token = this.#skip(STRING) || this.#skip(PUNCTUATION) || this.#skip(BARE);
      if (token === '[' || token === '{') depth += 1;
      if (token === ']' || token === '}') depth -= 1;
      if (token === '{' || token === ',') this.#keyInside();
      if (depth <= 0 || token === '') return;
    }
  }

  #keyInside(): void {
    const [at, count] = [this.#at, this.parts.length];
    this.#skip(BETWEEN);
    this.#key();
    if (this.#skip(EQUALS) !== '') return;
    this.#at = at;
    this.parts.length = count;
  }

  /** A header names the last table of each list it passes. */
  #resolve(names: readonly string[], isList: boolean): readonly (string | number)[] {
    const path: (string | number)[] = [];
    names.forEach((name, i) => {
      path.push(name);
      const id = JSON.stringify(path);
      if (isList && i === names.length - 1) this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
      const count = this.#counts.get(id);
      if (count !== undefined) path.push(count - 1);
    });
    return path;
  }

  #skip(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += found.length;
    return found;
  }

  #lineHere(): number {
    for (; this.#counted < this.#at; this.#counted++) if (this.#text[this.#counted] === '\n') this.#line += 1;
    return this.#line;
  }
}

const BLANK = /[ \t]*/y;
const BETWEEN = /(?:[ \t\r\n]|#[^\n]*)*/y;
const REST = /[^\n]*/y;
const OPENING = /\[\[?/y;
const CLOSING = /[ \t]*\]\]?/y;
const EQUALS = /[ \t]*=/y;
const DOT = /\./y;
const PART = /[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
/** An unfinished multi-line string reaches to the end of the text. */
const STRING = /"""(?:[^\\]|\\[^])*?(?:"{3,5}|$)|'''[^]*?(?:'{3,5}|$)|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;
const PUNCTUATION = /[[\]{},]/y;
const BARE = /[^[\]{},"'#\s]+/y;

const ESCAPE = /\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|.)/g;
const LETTERS: Readonly<Record<string, string>> = { b: '\b', t: '\t', n: '\n', f: '\f', r: '\r' };

function unquoted(part: string): string {
  if (part.startsWith("'")) return part.slice(1, -1);
  return part.startsWith('"') ? part.slice(1, -1).replace(ESCAPE, unescaped) : part;
}

function unescaped(escape: string): string {
  if (escape.length === 2) return LETTERS[escape[1]!] ?? escape[1]!;
  const point = Number.parseInt(escape.slice(2), 16);
  return point <= 0x10ffff ? String.fromCodePoint(point) : '';
}
