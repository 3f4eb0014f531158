/** What every error of this library carries. */
export interface IocErrorOptions {
  /** The error that led to this one. */
  cause?: unknown;
}

/**
 * The base of every error of this library. Tell errors apart by class or by `code`: both stay as they are, messages may
 * improve.
 */
export abstract class IocError extends Error {
  /** Stable name of what went wrong, `ERR_…`. */
  abstract readonly code: string;

  constructor(message: string, options: IocErrorOptions = {}) {
    nameErrors(new.target.prototype, new.target.name);
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
  }
}

/**
 * Gives the errors of a class their name before the first is made: `Error` takes the stack trace, which begins with it, and
 * to take that once more would cost as much as all else.
 */
function nameErrors(prototype: IocError, name: string): void {
  if (Object.hasOwn(prototype, 'name')) return;
  Object.defineProperty(prototype, 'name', { value: name, writable: true, configurable: true });
}

/** An argument that no call of this kind can take; the message tells what was found and what would be right. */
export class InvalidArgumentError extends IocError {
  readonly code = 'ERR_INVALID_ARGUMENT';

  /**
   * @param argument the name of the argument, as the documentation spells it
   * @param found the refused value
   * @param right what would be right, completing "expected …"
   */
  constructor(
    readonly argument: string,
    found: unknown,
    right: string,
  ) {
    super(`${argument}: found ${show(found)}, expected ${right}`);
  }
}

/** Something was used before it was set up, or after it was stopped. */
export class NotReadyError extends IocError {
  readonly code = 'ERR_NOT_READY';
}

/** What an error says that may be anybody's: whatever it has instead of a text, looking at it ends nothing. */
export function textOf(error: Error): string {
  try {
    return String(error.message);
  } catch {
    return 'an error without a text';
  }
}

const SHOWN = 60;

/**
 * A value as messages show it: on one line, its kind visible, cut at 60 characters; never what is inside an object, nor the
 * credentials of a URL.
 */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(cut(withoutCredentials(value)));
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return cut(String(value)) + (typeof value === 'bigint' ? 'n' : '');
}

/** `redis://user:password@host` is a usual thing to paste where `host:port` or a client belongs; a list may cut it in two. */
function withoutCredentials(text: string): string {
  const host = text.includes(':') ? text.replace(/^.*@/s, '***@') : text;
  return host
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#@]*:(?!\d+(?:[/?#]|$)).*$/is, '$1***')
    .replace(/^((?:[a-z][a-z0-9+.-]*:\/\/|\*\*\*@)[^?#]*)[?#].*$/is, '$1?***');
}

function cut(text: string): string {
  return text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}… (${text.length} characters)`;
}
