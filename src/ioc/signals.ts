import { constants } from 'node:os';
import { inspect } from 'node:util';
import { milliseconds, timerDelay, type Duration } from '../duration.js';
import { InvalidArgumentError, IocError } from '../errors.js';
import { ANY, checkOptions, FLAG } from './check.js';
import { reason } from './errors.js';

/** When and how the end of the process stops a container. */
export interface SignalOptions {
  /** Default SIGINT and SIGTERM. */
  readonly signals?: readonly NodeJS.Signals[] | undefined;
  /** How long the stop may take; what hangs then is abandoned. Default 10 s. */
  readonly limit?: Duration | undefined;
  /** Whether the process ends after the stop, as the signal would have ended it. Default true. */
  readonly exit?: boolean | undefined;
}

/** What of the process is used here. */
export type Host = Pick<NodeJS.Process, 'on' | 'off' | 'listenerCount' | 'kill' | 'exit' | 'pid'> & {
  readonly stderr: { write(text: string): unknown };
};

interface Stoppable {
  stop(options: { signal: AbortSignal }): Promise<void>;
}

const DEFAULT_SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Stops something on the first signal, and ends the process on the second, or when it is stopped.
 * @returns takes the listeners off
 */
export function stopOnSignals(what: Stoppable, options: SignalOptions, host: Host = process): () => void {
  const { signals, limit, exit } = checked(options);
  let isStopping = false;
  const remove = () => {
    for (const signal of signals) host.off(signal, onSignal);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    if (isStopping) {
      remove();
      return endBy(signal, host);
    }
    isStopping = true;
    const goOn = outlive(host);
    const stopped = stopWithin(what, limit, host).finally(goOn).then(remove);
    void allStopped(host, stopped).then(() => exit && endBy(signal, host));
  };
  for (const signal of signals) host.on(signal, onSignal);
  return remove;
}

/**
 * What was waited for fails when it is stopped, and nobody may be there to hear it: then Node would end the process in the middle of
 * the stop. It is told instead.
 * @returns ends that
 */
function outlive(host: Host): () => void {
  const tell = (error: unknown) => {
    host.stderr.write(`${error instanceof IocError ? error.message : inspect(error)}\n`);
  };
  host.on('uncaughtException', tell);
  return () => host.off('uncaughtException', tell);
}

const underWay = new WeakMap<Host, Set<Promise<void>>>();

/** Of several containers of a process none ends it in the middle of the stop of another. */
async function allStopped(host: Host, stopped: Promise<void>): Promise<void> {
  const all = underWay.get(host) ?? new Set();
  underWay.set(host, all.add(stopped));
  await stopped;
  all.delete(stopped);
  while (all.size > 0) await Promise.all(all);
}

interface Checked {
  readonly signals: readonly NodeJS.Signals[];
  readonly limit: number;
  readonly exit: boolean;
}

function checked(options: SignalOptions): Checked {
  checkOptions('stopOnSignals', options, { signals: ANY, limit: ANY, exit: FLAG });
  const { signals = DEFAULT_SIGNALS, limit = '10s', exit = true } = options;
  const right = 'names of signals such as "SIGTERM"';
  if (!Array.isArray(signals) || signals.length === 0)
    throw new InvalidArgumentError('stopOnSignals signals', signals, right);
  const strange = (signals as readonly unknown[]).find((signal) => !canBeHeard(signal));
  if (strange !== undefined) throw new InvalidArgumentError('stopOnSignals signals', strange, right);
  return { signals: [...new Set(signals)], limit: milliseconds('stopOnSignals limit', limit, 1), exit };
}

function canBeHeard(signal: unknown): boolean {
  return typeof signal === 'string' && Object.hasOwn(constants.signals, signal) && !/^SIG(KILL|STOP)$/.test(signal);
}

/** A timer of its own, since that of AbortSignal.timeout would let the process end before the stop does. */
async function stopWithin(what: Stoppable, limit: number, host: Host): Promise<void> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`not stopped within ${limit} ms`)), timerDelay(limit));
  try {
    await what.stop({ signal: controller.signal });
  } catch (error) {
    host.stderr.write(`${reason(error)}\n`);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The signal itself, so that whoever waits for the process sees that it ended by it. Where somebody else still listens,
 * and for process 1 of a machine, a signal does not end a process: then the exit code says the same.
 */
function endBy(signal: NodeJS.Signals, host: Host): void {
  if (host.listenerCount(signal) === 0) host.kill(host.pid, signal);
  host.exit(128 + constants.signals[signal]);
}
