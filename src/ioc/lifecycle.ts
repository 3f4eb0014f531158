import { ConfigError, joined } from '../loader/index.js';
import type { Entry } from './entry.js';
import { CloseError, StartError, type Step } from './errors.js';
import type { IocObject } from './object.js';

const STARTING = ['onPreInit', 'init', 'onPostInit'] as const;
const STOPPING = ['onPreStop', 'close', 'onPostStop'] as const;
const NEVER = new AbortController().signal;

/**
 * Starts components one after the other. When one fails, those that had started are closed again, in reverse.
 * @param entries components with their objects, in the order they start
 * @throws {StartError} one failed
 * @throws {ConfigError} one refused its values
 */
export async function start(entries: readonly Entry[]): Promise<void> {
  await checkAll(entries);
  const started: Entry[] = [];
  for (const entry of entries) {
    for (const name of STARTING) {
      await step(entry, name, started);
      if (name === 'init') started.push(entry);
    }
  }
}

/**
 * Stops components in reverse order; every step has its turn, whatever happened before.
 * @param signal once it aborts, no step is waited for longer than one turn of the event loop
 * @returns what failed
 */
export async function stop(entries: readonly Entry[], signal: AbortSignal): Promise<CloseError[]> {
  const errors: CloseError[] = [];
  for (const entry of [...entries].reverse()) {
    for (const name of STOPPING) {
      try {
        await unlessAborted(() => object(entry)[name]?.({ signal }), signal);
      } catch (error) {
        errors.push(new CloseError(entry, name, error));
      }
    }
  }
  return errors;
}

/** All have their say before the configuration is refused. */
async function checkAll(entries: readonly Entry[]): Promise<void> {
  const refusals: ConfigError[] = [];
  for (const entry of entries) {
    try {
      await object(entry).onPostConfig?.();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw new StartError(entry, 'onPostConfig', error, []);
      refusals.push(error);
    }
  }
  if (refusals.length > 0) throw joined(refusals);
}

async function step(entry: Entry, name: (typeof STARTING)[number], started: Entry[]): Promise<void> {
  try {
    await object(entry)[name]?.();
  } catch (error) {
    throw startError(entry, name, error, await stop(started, NEVER));
  }
}

/** A refused configuration is told as it is, unless there is more to tell. */
function startError(entry: Entry, name: Step, error: unknown, closeErrors: CloseError[]): Error {
  return error instanceof ConfigError && !closeErrors.length ? error : new StartError(entry, name, error, closeErrors);
}

/** Waits for work; once the signal aborts, only as long as work that heeds it at once needs. */
async function unlessAborted(work: () => unknown, signal: AbortSignal): Promise<void> {
  let giveUp = () => {};
  const abandoned = new Promise<never>((_, reject) => {
    giveUp = () =>
      setImmediate(() => reject(new Error('abandoned: not done when the signal aborted', { cause: signal.reason })));
  });
  abandoned.catch(() => {}); // work that fails before it is waited for leaves this one unheard
  if (signal.aborted) giveUp();
  else signal.addEventListener('abort', giveUp, { once: true });
  try {
    await Promise.race([work(), abandoned]);
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

function object(entry: Entry): IocObject {
  return entry.value as IocObject;
}
