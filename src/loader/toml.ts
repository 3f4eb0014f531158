import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import toml from '@iarna/toml';
import { ConfigError, type Mistake } from './errors.js';
import { Scan } from './scan.js';
import { plain, TableSource, type Table } from './source.js';

/**
 * Reads a TOML file.
 * @param file as messages name it
 * @returns undefined when there is no such file and that is no mistake
 * @throws {ConfigError} the file is missing, cannot be read, is not UTF-8, is not TOML
 */
export function readToml(file: string, cwd: string, skipMissing: boolean): TableSource | undefined {
  if (!/\.toml$/i.test(file))
    throw refused(file, 'a file that is not .toml', 'a TOML file, such as etc/application.toml');
  const text = readText(file, cwd, 'a TOML file', skipMissing);
  // TOML leaves it to the reader what ends a line; the parser would refuse a comment that ends as on Windows.
  return text === undefined ? undefined : parse(file, text.replaceAll('\r\n', '\n'));
}

/**
 * Reads a text file, without the byte order mark.
 * @param right what the file should have been, for messages
 * @throws {ConfigError} there is no such file and it is not optional, it cannot be read, it is not UTF-8
 */
export function readText(file: string, cwd: string, right: string, isOptional: boolean): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(resolve(cwd, file)));
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && isOptional) return undefined;
    if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA')
      throw refused(file, 'bytes that are not UTF-8', `${right} in UTF-8`);
    throw refused(
      file,
      FOUND[code] ?? `a file that cannot be read (${code})`,
      `${right} at ${resolve(cwd, file)}`,
      error,
    );
  }
}

const FOUND: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  EISDIR: 'a directory',
  EACCES: 'a file that this user may not read (EACCES)',
  EPERM: 'a file that this user may not read (EPERM)',
};

function refused(source: string, found: string, right: string, cause?: unknown): ConfigError {
  const mistake: Mistake = { key: '', source, found, right };
  return new ConfigError([mistake], { cause });
}

function parse(file: string, text: string): TableSource {
  const scan = new Scan(text);
  try {
    const sections = plain(toml.parse(shielded(text, scan)), (key) => key.replace(/^\0/, '')) as Table;
    return new TableSource(sections, places(file, scan));
  } catch (error) {
    throw broken(file, text, scan, error);
  }
}

/**
 * The parser takes `[constructor]` for the function every object inherits, and would write into it. Names that objects
 * inherit pass it under another name.
 */
function shielded(text: string, scan: Scan): string {
  let [safe, at] = ['', 0];
  for (const { name, start, end } of scan.parts.filter(
    ({ name }) => name.startsWith('\0') || name in Object.prototype,
  )) {
    safe += `${text.slice(at, start)}"\\u0000${JSON.stringify(name).slice(1)}`;
    at = end;
  }
  return safe + text.slice(at);
}

function places(file: string, scan: Scan): TableSource['places'] {
  const lines = new Map<string, number>();
  for (const { path, line } of scan.statements) {
    path.forEach((_, i) => {
      const id = JSON.stringify(path.slice(0, i + 1));
      if (!lines.has(id)) lines.set(id, line);
    });
  }
  return (path) => {
    const line = path.map((_, i) => lines.get(JSON.stringify(path.slice(0, path.length - i)))).find(Boolean);
    return line === undefined ? file : `${file}:${line}`;
  };
}

/** The parser's own message quotes the lines around the mistake, and with them what may be a secret. */
function broken(file: string, text: string, scan: Scan, error: unknown): ConfigError {
  const { message, line, col } = error as { message: string; line?: number; col?: number };
  const reason = /^(.*?)(?: at row \d+, col \d+|$)/s.exec(message)![1]!;
  if (line === undefined || col === undefined) return refused(file, `broken TOML (${reason})`, 'TOML');
  const head = scan.statements.find((statement) => statement.line === line + 1)?.head;
  const excerpt = head ? `, in \`${head}${head.endsWith('=') ? ' …' : ''}\`` : '';
  // The parser counts columns from 1 in the first line and from 0 in the others, and on behind the end of the text.
  const column = Math.min(line === 0 ? col : col + 1, (text.split('\n')[line]?.length ?? 0) + 1);
  return refused(`${file}:${line + 1}:${column}`, `broken TOML (${reason})${excerpt}`, 'TOML');
}
