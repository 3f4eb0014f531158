import type { LoadRequest } from '../loader/index.js';
import { InvalidArgumentError } from '../errors.js';
import { ANY, checkOptions, FLAG } from './check.js';

/** Where the values come from, and whether a container that runs starts anew. */
export interface SetupOptions extends LoadRequest {
  /** Stops a container that is set up, and sets it up again; without it, nothing is done then. */
  readonly force?: boolean | undefined;
}

/**
 * The loader sees to the values of its own options; what nobody would read is refused here.
 * @throws {InvalidArgumentError} an option is unknown
 */
export function checkSetup(options: unknown): void {
  checkOptions('setup', options, SETUP);
  checkOptions('setup env', (options as SetupOptions).env ?? {}, { enabled: ANY, prefix: ANY, file: ANY });
}

/** `etc/application.toml` if it is there; the loader adds `.env` if it is there, and the environment. */
export function development(options: SetupOptions): SetupOptions {
  checkSetup(options);
  const { files = ['etc/application.toml'], skipMissing = true, ...rest } = options;
  return { files, skipMissing, ...rest };
}

/**
 * Files that have to be there; the loader adds `.env` if it is there, and the environment.
 * @throws {InvalidArgumentError} there is none
 */
export function developmentWith(paths: readonly string[]): SetupOptions {
  if (paths.length === 0) throw new InvalidArgumentError('paths', paths, 'one TOML file or more');
  return { files: paths };
}

const SETUP = { files: ANY, skipMissing: ANY, env: ANY, values: ANY, cwd: ANY, force: FLAG } as const;
