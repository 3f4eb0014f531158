import type { ChildProcess } from 'node:child_process';
import { isatty } from 'node:tty';

/** What ends a process that does not look after it. SIGUSR1 does not end Node. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;

/** What keys of a terminal send, to the command as well. */
const KEYS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGQUIT'];

/** The process was asked to end before its command ran. */
export class Interrupted extends Error {
  constructor(readonly by: NodeJS.Signals) {
    super(`ended by ${by}`);
  }
}

/**
 * What asks this process to end: it ends a wait, and is passed on to the command while that runs, so that the lock is
 * given back in either case.
 */
export class Interrupts {
  readonly #waiting = new AbortController();
  #child: ChildProcess | undefined;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#heard);
  }

  /** Aborted with `Interrupted` when a signal comes before the command runs. */
  get signal(): AbortSignal {
    return this.#waiting.signal;
  }

  /** From here on signals are for the command. */
  passTo(child: ChildProcess): void {
    this.#child = child;
  }

  end(): void {
    for (const signal of SIGNALS) process.off(signal, this.#heard);
  }

  readonly #heard = (signal: NodeJS.Signals): void => {
    if (!this.#child) this.#waiting.abort(new Interrupted(signal));
    else if (!KEYS.includes(signal) || !isAtTerminal()) this.#child.kill(signal);
  };
}

/**
 * There Ctrl-C reaches the command without us; a second SIGINT makes many programs drop what they are doing. Asked of the
 * descriptors: `process.stdin` would make a pipe that is the command's input as well one that nobody can wait at.
 */
function isAtTerminal(): boolean {
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}
