import { constants } from 'node:os';
import { ConfigError, InvalidArgumentError, IocError, NotObtainedError, ProviderError } from 'mcube-lock';

/** Exit codes: those of sysexits.h, which `flock` and mail programs use too, and those of shells. */
export const EXIT = {
  ok: 0,
  /** EX_USAGE: the command line is wrong. */
  usage: 64,
  /** EX_UNAVAILABLE: the provider does not answer, or refuses. */
  unavailable: 69,
  /** EX_SOFTWARE: the lock was lost while the command ran, or something else that should not be. */
  software: 70,
  /** EX_IOERR: what it had to say could not be written. */
  ioerr: 74,
  /** EX_TEMPFAIL: the lock was not obtained. */
  tempfail: 75,
  /** EX_CONFIG: the configuration is wrong. */
  config: 78,
  /** As shells: the command is there and cannot be run. */
  notExecutable: 126,
  /** As shells: there is no such command. */
  notFound: 127,
} as const;

/** Ends the command line with an exit code and a line that says why. */
export class ExitError extends Error {
  /** @param line without an end; empty when there is nothing to say */
  constructor(
    readonly exitCode: number,
    readonly line: string,
    options?: ErrorOptions,
  ) {
    super(line, options);
  }
}

/** The command line is wrong. */
export class UsageError extends ExitError {
  constructor(line: string) {
    super(EXIT.usage, line);
  }
}

/** As shells tell that a signal ended a program. */
export function signalCode(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal];
}

/** What an error means for whoever called the program: an exit code, and what to print. */
export function ending(error: unknown): { readonly code: number; readonly text: string } {
  if (error instanceof ExitError) return { code: error.exitCode, text: error.line };
  if (error instanceof IocError) return { code: codeOf(error), text: error.message };
  return { code: EXIT.software, text: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}

function codeOf(error: IocError): number {
  if (error instanceof InvalidArgumentError) return EXIT.usage;
  if (error instanceof ConfigError) return EXIT.config;
  if (error instanceof NotObtainedError) return EXIT.tempfail;
  if (error instanceof ProviderError) return EXIT.unavailable;
  return EXIT.software;
}
