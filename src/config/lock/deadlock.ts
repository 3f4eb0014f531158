import { AsyncLocalStorage } from 'node:async_hooks';
import { LockDeadlockError } from './errors.js';
import type { Lock } from './lock.js';

/** The hold of a routine that is running, as seen by what it calls. */
interface Scope {
  /** Undefined once the routine is done: what it left running is not inside it any more. */
  lock: Lock | undefined;
  /** Whose lock it is; the same key of another factory is another lock. */
  readonly factory: object;
  readonly takenAt: string;
  outer: Scope | undefined;
}

/** Made when detection is first used, for it makes every promise of the process dearer. */
let scopes: AsyncLocalStorage<Scope> | undefined;

/** Runs `work` so that what it calls and waits for counts as done under the lock. */
export async function within<T>(factory: object, lock: Lock, takenAt: string, work: () => T): Promise<Awaited<T>> {
  scopes ??= new AsyncLocalStorage();
  const outer = live(scopes.getStore());
  // Routines that are done and have others running inside must not become an ever longer chain.
  if (outer) outer.outer = live(outer.outer);
  const scope: Scope = { lock, factory, takenAt, outer };
  try {
    return await scopes.run(scope, work);
  } finally {
    scope.lock = undefined;
  }
}

/** @throws {LockDeadlockError} what runs now is inside a routine that holds the key: waiting for it would not end */
export function refuseDeadlock(factory: object, key: string): void {
  for (let scope = live(scopes?.getStore()); scope; scope = live(scope.outer)) {
    const { lock, takenAt } = scope;
    if (scope.factory === factory && lock?.key === key && lock.held) throw new LockDeadlockError(key, takenAt);
  }
}

/** The line that called the method of `object`, as a stack trace shows it. */
export function callSite<K extends string>(
  method: K,
  object: Readonly<Record<K, (...args: never[]) => unknown>>,
): string {
  const trace: { stack?: unknown } = {};
  Error.captureStackTrace(trace, object[method]);
  // What `Error.prepareStackTrace` of the application makes of it may be anything.
  const line = typeof trace.stack === 'string' ? trace.stack.split('\n')[1]?.trim() : undefined;
  return line ?? 'an unknown place';
}

function live(scope: Scope | undefined): Scope | undefined {
  while (scope && !scope.lock) scope = scope.outer;
  return scope;
}
