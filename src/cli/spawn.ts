import { spawn, type ChildProcess } from 'node:child_process';
import type { lock } from 'mcube-lock';
import { EXIT, ExitError, signalCode } from './exit.js';
import type { Interrupts } from './interrupts.js';

/** How long a command may take to end after SIGTERM, once its lock is lost. */
const GRACE_MS = 10_000;

/**
 * Runs a command under a lock that is held, with this process' own input and output.
 * @returns its exit code, as a shell would tell it
 * @throws {LockLostError} the lock was lost before the command ended; it was ended
 * @throws {ExitError} it could not be started
 */
export async function runCommand(
  key: string,
  [program, ...args]: readonly [string, ...string[]],
  { signal, fence }: lock.Held,
  interrupts: Interrupts,
): Promise<number> {
  interrupts.signal.throwIfAborted();
  const env = { ...process.env, MCUBE_LOCK_KEY: key, MCUBE_LOCK_FENCE: String(fence) };
  const child = spawn(program, args, { stdio: 'inherit', env });
  interrupts.passTo(child);
  const end = () => endCommand(child);
  signal.addEventListener('abort', end, { once: true });
  try {
    const code = await ended(child, program);
    signal.throwIfAborted();
    return code;
  } finally {
    signal.removeEventListener('abort', end);
  }
}

/** SIGTERM, and SIGKILL if that is not heeded: another may hold the lock by now. */
export function endCommand(child: ChildProcess, grace = GRACE_MS): void {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), grace);
  child.once('exit', () => clearTimeout(timer));
}

function ended(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) reject(notStarted(program, error));
    });
    child.once('exit', (code, signal) => resolve(signal ? signalCode(signal) : (code ?? EXIT.software)));
  });
}

function notStarted(program: string, error: NodeJS.ErrnoException): ExitError {
  const name = JSON.stringify(program);
  if (error.code === 'ENOENT') return new ExitError(EXIT.notFound, `no such command: ${name}`, { cause: error });
  return new ExitError(EXIT.notExecutable, `command ${name} cannot be run: ${error.code ?? error.message}`, {
    cause: error,
  });
}
