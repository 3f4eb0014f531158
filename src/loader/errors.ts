import { IocError, type IocErrorOptions } from '../errors.js';

/** One thing that is wrong with the configuration. */
export interface Mistake {
  /** The key with its section, `lock.provider`; empty when a whole file is meant. */
  readonly key: string;
  /** Where it stands: `etc/application.toml:3`, `environment variable LOCK_PROVIDER`, `.env: LOCK_PROVIDER`, … */
  readonly source: string;
  /** What was found there, on one line; a secret is never shown. */
  readonly found: string;
  /** What would be right. */
  readonly right: string;
  /** The name that was probably meant. */
  readonly suggestion?: string;
}

/** The configuration cannot be used. Every mistake that was found is told at once, and nothing was started. */
export class ConfigError extends IocError {
  readonly code = 'ERR_CONFIG';
  readonly mistakes: readonly Mistake[];

  /** @param mistakes one or more */
  constructor(mistakes: readonly Mistake[], options?: IocErrorOptions) {
    super(message(mistakes.map(sentence)), options);
    this.mistakes = Object.freeze([...mistakes]);
  }
}

/** Several as one. */
export function joined(errors: readonly ConfigError[]): ConfigError {
  if (errors.length === 1) return errors[0]!;
  const mistakes = errors.flatMap((error) => error.mistakes);
  return new ConfigError(mistakes, { cause: errors.find((error) => error.cause)?.cause });
}

function message(sentences: readonly string[]): string {
  if (sentences.length === 1) return `configuration refused: ${sentences[0]}`;
  return [`configuration refused, ${sentences.length} mistakes:`, ...sentences].join('\n- ');
}

function sentence({ key, source, found, right, suggestion }: Mistake): string {
  const place = key === '' ? source : `${key} (${source})`;
  const hint = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`;
  return `${place}: found ${found}, expected ${right}${hint}`;
}
