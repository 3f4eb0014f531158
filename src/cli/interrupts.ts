import type { ChildProcess } from 'node:child_process';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

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
    else if (signal !== 'SIGINT' || !isAtTerminal()) this.#child.kill(signal);
  };
}

/** There Ctrl-C reaches the command without us; a second SIGINT makes many programs drop what they are doing. */
function isAtTerminal(): boolean {
  return process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
}
