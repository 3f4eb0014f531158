import { parseArgs, type ParseArgsConfig } from 'node:util';
import { UsageError } from './exit.js';

/** One option of a command, as `--help` shows it. */
interface Option {
  readonly type: 'string' | 'boolean';
  /** What stands for its value in the help: `30s`. */
  readonly value?: string;
  readonly about: string;
  readonly short?: string;
  readonly multiple?: boolean;
}

export type Options = Readonly<Record<string, Option>>;

/** One command of the command line. */
export interface Command {
  /** What follows the program's name: `lock <key> [options] -- <command> [argument…]`. */
  readonly usage: string;
  /** One sentence. */
  readonly about: string;
  /** What more there is to know, in the command's own help. */
  readonly more?: string;
  readonly options: Options;
  /** Whether a command line of its own follows `--`. */
  readonly takesCommand?: boolean;
  /** @returns the exit code */
  run(input: Input, terminal: Terminal): Promise<number>;
}

/** What a command is given. */
export interface Input {
  readonly values: Readonly<Record<string, string | boolean | readonly string[] | undefined>>;
  /** What is no option, before `--`. */
  readonly words: readonly string[];
  /** What follows `--`. */
  readonly command: readonly string[];
  /** `--file`. */
  readonly files: readonly string[];
  /** `--prefix`, empty without one. */
  readonly prefix: string;
}

/** Where text goes. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
}

/** Options of every command. */
export const COMMON: Options = {
  file: {
    type: 'string',
    value: 'path',
    multiple: true,
    about: 'Read this TOML file instead of etc/application.toml; given again, a later file wins.',
  },
  prefix: {
    type: 'string',
    value: 'name',
    about: 'What stands before the names of variables: APP for APP_LOCK_PROVIDER.',
  },
  help: { type: 'boolean', short: 'h', about: 'Show this help.' },
};

/** Options that stand in place of a command. */
export const ALONE: Options = { version: { type: 'boolean', about: 'Show the version.' } };

/** What was asked for, before the options of its command are looked at. */
export interface Request {
  /** The name of a command; undefined when there is none. */
  readonly name: string | undefined;
  /** The arguments without it, and without what follows `--`. */
  readonly args: readonly string[];
  /** What follows `--`; undefined when there is no `--`. */
  readonly command: readonly string[] | undefined;
}

/** Finds the command among the arguments; common options may stand before it. */
export function splitArgs(args: readonly string[]): Request {
  const end = args.indexOf('--');
  const [before, command] = end < 0 ? [args, undefined] : [args.slice(0, end), args.slice(end + 1)];
  const options = parseOptions({ ...COMMON, ...ALONE });
  const { tokens } = parseArgs({ args: [...before], options, strict: false, allowPositionals: true, tokens: true });
  const at = tokens.find((token) => token.kind === 'positional')?.index;
  return { name: at === undefined ? undefined : before[at], args: before.filter((_, i) => i !== at), command };
}

/**
 * Reads the arguments of a command.
 * @throws {UsageError} an option is unknown, lacks its value or has one too many
 */
export function readInput(options: Options, { args, command = [] }: Request): Input {
  const { values, positionals } = parsed(args, { ...options, ...COMMON });
  const { prefix = '', file = [] } = values as { prefix?: string; file?: string[] };
  if (!/^([A-Za-z_]\w*)?$/.test(prefix))
    throw new UsageError(`--prefix: found ${JSON.stringify(prefix)}, expected a name such as APP`);
  return { values: values as Input['values'], words: positionals, command, files: file, prefix };
}

function parsed(args: readonly string[], options: Options) {
  try {
    return parseArgs({ args: [...args], options: parseOptions(options), allowPositionals: true });
  } catch (error) {
    // Behind a sentence that says what is wrong Node gives advice.
    const [found] = (error as Error).message.split(/\.?\s(?=To specify )|\.?\n/);
    throw new UsageError(`${found}; expected ${expected(error as Error, options)}`);
  }
}

/** What would be right in the place of an option that is wrong, in words that Node leaves out. */
function expected({ message, code }: NodeJS.ErrnoException, options: Options): string {
  const known = Object.entries(options);
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return `one of ${known.map(([name]) => `--${name}`).join(', ')}`;
  const [name, option] = known.find(([name]) => new RegExp(`--${name}\\b(?!-)`).test(message)) ?? [];
  return option?.value === undefined ? `--${name} alone` : `--${name} ${option.value}`;
}

function parseOptions(options: Options): NonNullable<ParseArgsConfig['options']> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple = false }]) => [
      name,
      { type, multiple, ...(short !== undefined && { short }) },
    ]),
  );
}
