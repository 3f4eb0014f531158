import dotenv from 'dotenv';
import { InvalidArgumentError } from '../errors.js';
import { bind, type Bound } from './bind.js';
import { ConfigError, joined } from './errors.js';
import type { AnyClass } from './field.js';
import { isTable } from './shown.js';
import { plain, TableSource, TextSource, type Source, type Table } from './source.js';
import { readText, readToml } from './toml.js';

/** Where the values of a configuration come from. */
export interface LoadRequest {
  /** TOML files; a later one wins, key by key. */
  files?: readonly string[] | undefined;
  /** Whether a file that is not there is passed over. Default false. */
  skipMissing?: boolean | undefined;
  env?:
    | {
        /** Whether the environment and the `.env` file are read. Default true. */
        enabled?: boolean | undefined;
        /** What stands before every name: `APP` for `APP_LOCK_PROVIDER`. */
        prefix?: string | undefined;
        /** Read if it is there. Default `.env`. */
        file?: string | undefined;
      }
    | undefined;
  /** Values by component and key, or property; they win over everything else. */
  values?: Readonly<Record<string, object>> | undefined;
  /** Where relative names of `files` and of the `.env` file are looked for. Default the working directory. */
  cwd?: string | undefined;
}

/** Values that were read and not yet given to components. */
export interface Configuration {
  /**
   * Checks the section of every component against its declared fields.
   * @throws {ConfigError} with every mistake there is
   */
  bind(components: Iterable<{ name: string; type: AnyClass }>): Bound;
}

/**
 * Reads the files, `.env`, the environment and the given values, as they are now. Nothing is written to `process.env`.
 * @throws {ConfigError} a file is missing, cannot be read, or is not TOML
 * @throws {InvalidArgumentError} the request itself is not right
 */
export function readConfiguration(request: LoadRequest): Configuration {
  const { files, skipMissing, env, values, cwd } = checked(request);
  const errors: ConfigError[] = [];
  const read = <T>(step: () => T | undefined) => collect(step, errors);
  const sources: (Source | undefined)[] = files.map((file) => read(() => readToml(file, cwd, skipMissing)));
  if (env.enabled)
    sources.push(
      read(() => readDotenv(env.file, cwd, env.prefix)),
      environment(env.prefix),
    );
  sources.push(new TableSource(plain(values) as Table, () => 'values given in code', true));
  if (errors.length > 0) throw joined(errors);
  const found = sources.filter((source) => source !== undefined);
  return { bind: (components) => bind(found, [...components]) };
}

function readDotenv(file: string, cwd: string, prefix: string): Source | undefined {
  const text = readText(file, cwd, 'a file of NAME=value lines', true);
  if (text === undefined) return undefined;
  const texts = dotenv.parse(text);
  const line = strayLine(text);
  if (line === undefined) return new TextSource(texts, `${file}:`, prefix);
  const right = 'NAME=value, a comment, or nothing';
  throw new ConfigError([{ key: '', source: `${file}:${line}`, found: 'a line without =', right }]);
}

/** A value in quotes, which may be of several lines, as dotenv reads it. */
const QUOTED =
  /^[^\S\n]*(?:export\s+)?[\w.-]+\s*[=:]\s*(?:"(?:\\"|[^"])*"|'(?:\\'|[^'])*'|`(?:\\`|[^`])*`)(?=\s*(?:#.*)?$)/gm;

/** A line that says nothing, or gives a value: behind a colon dotenv wants white space. */
const SILENT = /^$|^#|=|^(?:export\s+)?[\w.-]+:\s/;

/** The number of the first line that is passed over although it says something; what it says may be a secret. */
function strayLine(text: string): number | undefined {
  const lines = text
    .replaceAll(/\r\n?/g, '\n')
    .replace(QUOTED, (block) => block.replaceAll(/.+/g, '='))
    .split('\n');
  const at = lines.map((line) => line.trim()).findIndex((line) => !SILENT.test(line));
  return at < 0 ? undefined : at + 1;
}

function environment(prefix: string): Source {
  return new TextSource({ ...process.env }, 'environment variable', prefix);
}

function collect<T>(step: () => T | undefined, errors: ConfigError[]): T | undefined {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    errors.push(error);
    return undefined;
  }
}

function checked(request: LoadRequest) {
  expect('request', request, isTable(request), 'an object such as { files: ["etc/application.toml"] }');
  const { files = [], skipMissing = false, env = {}, values = {}, cwd = process.cwd() } = request;
  const isText = (value: unknown) => typeof value === 'string' && value !== '' && !value.includes('\0');
  expect('files', files, Array.isArray(files), 'an array of file names');
  files.forEach((file, at) => expect(`files[${at}]`, file, isText(file), 'a file name'));
  expect('skipMissing', skipMissing, typeof skipMissing === 'boolean', 'true or false');
  expect('env', env, isTable(env), 'an object such as { prefix: "APP" }');
  expect('values', values, isTable(values), 'an object such as { lock: { provider: "redis" } }');
  expect('cwd', cwd, isText(cwd), 'a directory');
  const { enabled = true, prefix = '', file = '.env' } = env;
  expect('env.enabled', enabled, typeof enabled === 'boolean', 'true or false');
  expect('env.prefix', prefix, typeof prefix === 'string' && /^([A-Za-z_]\w*)?$/.test(prefix), 'a name such as APP');
  expect('env.file', file, isText(file), 'a file name');
  return { files, skipMissing, env: { enabled, prefix, file }, values, cwd };
}

function expect(argument: string, found: unknown, isRight: boolean, right: string): void {
  if (!isRight) throw new InvalidArgumentError(argument, found, right);
}
