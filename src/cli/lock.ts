import {
  InvalidArgumentError,
  ioc,
  lock,
  LockLostError,
  NotObtainedError,
  ProviderUnreachableError,
  redis,
} from 'mcube-lock';
import { durationText, milliseconds, rightDurationText } from '../duration.js';
import type { Command, Input, Terminal } from './command.js';
import { EXIT, ExitError, signalCode, UsageError } from './exit.js';
import { Interrupted, Interrupts } from './interrupts.js';
import { withSetup } from './setup.js';
import { runCommand } from './spawn.js';

const DEFAULT_TTL = '30s';

/** Runs a command while a lock is held. */
export const lockCommand: Command = {
  usage: 'lock <key> [options] -- <command> [argument…]',
  about: 'Take a lock, run a command, give the lock back: flock(1) for every machine that shares a Redis.',
  more:
    'The lease is renewed while the command runs. The command finds the key in MCUBE_LOCK_KEY and, in MCUBE_LOCK_FENCE,\n' +
    'a number that grows with each holder of the key. Signals that would end this program are passed on to it.\n\n' +
    'Exit code: that of the command, 128 and the number of the signal that ended it, or\n' +
    '  64  the command line is wrong\n' +
    '  69  the provider does not answer, or refuses\n' +
    '  70  the lock was lost while the command ran, which was sent SIGTERM, and SIGKILL 10 seconds later\n' +
    '  75  the lock was not obtained: another holds it\n' +
    '  78  the configuration is wrong\n' +
    ' 126  the command cannot be run\n' +
    ' 127  there is no such command',
  options: {
    ttl: {
      type: 'string',
      value: 'duration',
      about: `How long the lock outlives this process if that is killed. Default ${DEFAULT_TTL}.`,
    },
    wait: {
      type: 'string',
      value: 'duration',
      about: 'How long to wait for the lock. Default: what [lock] wait says, which is for ever unless changed.',
    },
    try: { type: 'boolean', about: 'Do not wait: give up at once when another holds the lock.' },
    metadata: { type: 'string', value: 'text', about: 'Kept beside the token, for people who look at the key.' },
  },
  takesCommand: true,
  run: (input, terminal) => {
    const wish = readWish(input);
    return withSetup(input, terminal, () => {
      warnIfAlone(wish, terminal);
      return runLocked(wish, terminal);
    });
  },
};

/** What the arguments ask for. */
interface Wish {
  readonly key: string;
  /** As it was written. */
  readonly ttl: string;
  readonly wait: number | undefined;
  readonly single: boolean;
  readonly metadata: string | undefined;
  readonly command: readonly [string, ...string[]];
  readonly prefix: string;
}

function readWish({ values, words, command, prefix }: Input): Wish {
  const [key, extra] = words;
  const [program, ...args] = command;
  const { ttl = DEFAULT_TTL, wait, metadata } = values as Record<string, string | undefined>;
  const single = values['try'] === true;
  if (key === undefined) throw new UsageError('lock: no key given, expected `lock <key> -- <command>`');
  if (extra !== undefined)
    throw new UsageError(`lock: found ${JSON.stringify(extra)} after the key; the command stands behind --`);
  if (!program) throw new UsageError('lock: no command given, expected `lock <key> -- <command>`');
  duration('--ttl', ttl, 1);
  if (single && wait !== undefined) throw new UsageError('lock: --try does not wait; leave --wait out');
  return {
    key,
    ttl,
    wait: wait === undefined ? undefined : duration('--wait', wait, 0),
    single,
    metadata,
    command: [program, ...args],
    prefix,
  };
}

function duration(option: string, text: string, least: number): number {
  try {
    return milliseconds(option, text, least);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new UsageError(`${option}: found ${JSON.stringify(text)}, expected ${rightDurationText(least)}`);
  }
}

/** A lock that lives in this process keeps nobody out: the command is another process. */
function warnIfAlone({ prefix }: Wish, terminal: Terminal): void {
  if (lock.L().provider !== 'go_cache') return;
  const name = ioc.envName('lock', 'provider', prefix);
  terminal.err(
    `mcube-lock: provider go_cache is this process alone, so that no other is kept out; set ${name}=redis\n`,
  );
}

async function runLocked(wish: Wish, terminal: Terminal): Promise<number> {
  const interrupts = new Interrupts();
  try {
    return await underLock(wish, interrupts, terminal);
  } catch (error) {
    throw told(error, wish);
  } finally {
    interrupts.end();
  }
}

async function underLock(
  { key, ttl, wait, single, metadata, command }: Wish,
  interrupts: Interrupts,
  terminal: Terminal,
): Promise<number> {
  const { signal } = interrupts;
  const locks = lock.L();
  const ms = duration('--ttl', ttl, locks.shortestTtl);
  const routine = (held: lock.Held) => runCommand(key, command, held, interrupts, terminal);
  if (!single) return locks.run(key, ms, routine, { signal, wait, metadata });
  const outcome = await locks.tryRun(key, ms, routine, { signal, metadata });
  if (outcome.ran) return outcome.value;
  throw new NotObtainedError(key, 0);
}

/** The same as a line for people, where the error's own message was for programs. */
function told(error: unknown, { key, prefix }: Wish): unknown {
  if (error instanceof Interrupted) return new ExitError(signalCode(error.by), '', { cause: error });
  if (error instanceof NotObtainedError) {
    const after = error.waited > 0 ? ` within ${durationText(Math.round(error.waited))}` : '';
    return new ExitError(EXIT.tempfail, `lock ${JSON.stringify(key)}: not obtained${after}, another holds it`, {
      cause: error,
    });
  }
  if (error instanceof LockLostError)
    return new ExitError(EXIT.software, `${error.message}; no command runs any more`, { cause: error });
  const isRedis = error instanceof ProviderUnreachableError && lock.L().provider === 'redis';
  return isRedis ? new ExitError(EXIT.unavailable, noRedis(prefix, error), { cause: error }) : error;
}

function noRedis(prefix: string, { message }: Error): string {
  return (
    `no Redis answers at ${redis.get().endpoints.join(', ')}: start one there (Debian has it with \`apt-get install ` +
    `redis-server\`), or set ${ioc.envName('redis', 'endpoints', prefix)} to the host:port of yours (${message})`
  );
}
