import { spawn, type ChildProcess } from 'node:child_process';
import type { lock } from 'mcube-lock';
import type { Terminal } from './command.js';
import { EXIT, ExitError, signalCode } from './exit.js';
import type { Interrupts } from './interrupts.js';

/** How long a command may take to end after SIGTERM, once its lock is lost. */
const GRACE_MS = 10_000;

/**
 * Runs a command under a lock that is held, with this process' own input and output, and gives the lock back.
 * @returns its exit code, as a shell would tell it
 * @throws {LockLostError} the lock was lost while the command ran: it was ended, or had ended when that was found out
 * @throws {ExitError} it could not be started
 */
export async function runCommand(
  key: string,
  [program, ...args]: readonly [string, ...string[]],
  held: lock.Held,
  interrupts: Interrupts,
  terminal: Terminal,
): Promise<number> {
  const { signal, fence } = held;
  interrupts.signal.throwIfAborted();
  const env = { ...process.env, MCUBE_LOCK_KEY: key, MCUBE_LOCK_FENCE: String(fence) };
  const child = started(program, args, env);
  interrupts.passTo(child);
  const end = () => endCommand(child);
  signal.addEventListener('abort', end, { once: true });
  // A loss that is found later has nobody to end.
  const code = await ended(child, program, terminal).finally(() => signal.removeEventListener('abort', end));
  signal.throwIfAborted();
  await giveBack(held, terminal);
  return code;
}

function started(program: string, args: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  try {
    return spawn(program, args, { stdio: 'inherit', env });
  } catch (error) {
    throw notStarted(program, error as NodeJS.ErrnoException);
  }
}

/** What the command has done stands; but whether it was alone all the time is known only now. */
async function giveBack({ lock, signal }: lock.Held, terminal: Terminal): Promise<void> {
  try {
    await lock.unlock();
  } catch (error) {
    signal.throwIfAborted();
    const { message } = error as Error;
    terminal.err(`mcube-lock: the command has ended, but its lock was not given back: ${message}\n`);
  }
}

/** SIGTERM, and SIGKILL if that is not heeded: another may hold the lock by now. */
export function endCommand(child: ChildProcess, grace = GRACE_MS): void {
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), grace);
  child.once('exit', () => clearTimeout(timer));
}

/** @throws {ExitError} it could not be started */
export function ended(child: ChildProcess, program: string, terminal: Terminal): Promise<number> {
  return new Promise((resolve, reject) => {
    // Also when a signal cannot be sent to it, as to a command of another user: each time.
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid === undefined) reject(notStarted(program, error));
      else terminal.err(`mcube-lock: the command could not be signalled, and goes on: ${error.message}\n`);
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
