import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.js';
import type { Contestant } from './contestants/index.js';
import { quantile, type Round } from './figures.js';
import type { Load, Taken } from './job.js';
import type { Worker } from './process.js';
import { commands, type Server, type Work } from './server.js';

/** How long a load runs before it is measured, as a part of the time that is measured, and at least, in seconds. */
const WARM_UP = 0.4;
const LEAST_WARM_UP = 0.5;
/**
 * The same for one waiter, who does so little in a second that his code is compiled late. With one key on Redis, in a process that had run
 * 64 keys before, the first 0.4 s did six to eight tenths of what the last ones of two seconds did, those between nine tenths to all of it.
 */
const LEAST_WARM_UP_OF_ONE = 2;
/** The same where it has run before. */
const WARM_AGAIN = 0.05;
/** Longest wait for what should have ended, and for loops to come to rest. */
const END_LIMIT = 15_000;
const REST_LIMIT = 1_000;

/** Acquisitions for each waiter on average, from which on one without any is said to starve. */
const TURNS = 5;

/** What was seen of a load while it was measured. */
export interface Sample {
  readonly taken: readonly Taken[];
  readonly before: Work | undefined;
  readonly after: Work | undefined;
}

/**
 * Runs one load in all workers at once. Afterwards they rest, but for loops that wait for longer than a second.
 * @param first it has not run in these processes before
 */
export async function sample(
  workers: readonly Worker[],
  load: Load,
  seconds: number,
  first: boolean,
  server: Server | undefined,
): Promise<Sample> {
  const least = load.waiters === 1 ? LEAST_WARM_UP_OF_ONE : LEAST_WARM_UP;
  const warmUp = first ? Math.max(least, seconds * WARM_UP) : WARM_AGAIN;
  const from = now() + warmUp * 1_000;
  const to = from + seconds * 1_000;
  for (const worker of workers) worker.tell({ type: 'load', load, from, to });
  const heard = Promise.all(workers.map((worker) => worker.hear('loaded', to - now() + END_LIMIT)));
  heard.catch(() => undefined);
  const before = await lookAt(from, server);
  const after = await lookAt(to, server);
  const taken = (await heard).map((message) => message.taken);
  await Promise.all(workers.map((worker) => worker.hear('rested', REST_LIMIT).catch(() => undefined)));
  return { taken, before, after };
}

async function lookAt(time: number, server: Server | undefined): Promise<Work | undefined> {
  await sleep(Math.max(0, time - now()));
  return server?.work();
}

/** All samples of a round in one. */
export function figuresOf(samples: readonly Sample[], load: Load, contestant: Contestant): Round {
  const [first] = samples;
  const taken = first!.taken.map((_, worker) => joined(samples.map((one) => one.taken[worker]!)));
  return { ...speedOf(taken, load), ...costsOf(samples, sum(taken.map(holdsOf)), contestant) };
}

function joined(parts: readonly Taken[]): Taken {
  const [first] = parts as readonly [Taken];
  if (parts.length === 1) return first;
  const total = (figure: 'elapsed' | 'handOvers' | 'overlaps' | 'cpu' | 'errors'): number =>
    sum(parts.map((part) => part[figure]));
  const all = (list: 'waits' | 'pending' | 'begins' | 'ends'): Float64Array => join(parts.map((part) => part[list]));
  return {
    elapsed: total('elapsed'),
    perWaiter: first.perWaiter.map((_, waiter) => sum(parts.map(({ perWaiter }) => perWaiter[waiter]!))),
    handOvers: total('handOvers'),
    overlaps: total('overlaps'),
    waits: all('waits'),
    pending: all('pending'),
    begins: all('begins'),
    ends: all('ends'),
    who: Uint16Array.from(parts.flatMap(({ who }) => [...who])),
    cpu: total('cpu'),
    errors: total('errors'),
    firstError: parts.find(({ firstError }) => firstError !== '')?.firstError ?? '',
  };
}

function costsOf(samples: readonly Sample[], holds: number, { inner }: Contestant): Record<string, number> {
  const cpu = sum(samples.flatMap(({ taken }) => taken.map((one) => one.cpu)));
  const looked = samples.flatMap(({ before, after }) => (before && after ? [{ before, after }] : []));
  if (looked.length === 0) return { clientCpu: cpu / holds };
  return {
    clientCpu: cpu / holds,
    commands: sum(looked.map(({ before, after }) => commands(before, after, inner))) / holds,
    serverCpu: sum(looked.map(({ before, after }) => after.cpu - before.cpu)) / holds,
  };
}

function speedOf(taken: readonly Taken[], load: Load): Record<string, number> {
  const perWaiter = taken.flatMap((one) => one.perWaiter);
  const figures = {
    acquisitions: sum(taken.map((one) => (holdsOf(one) / one.elapsed) * 1_000)),
    leastOfWaiter: Math.min(...perWaiter),
    mostOfWaiter: Math.max(...perWaiter),
    // Of a round that was long enough for everybody to have some turns.
    starved: sum(perWaiter) < perWaiter.length * TURNS ? 0 : perWaiter.filter((count) => count === 0).length,
    errors: sum(taken.map(({ errors }) => errors)),
    ...waitsOf(taken),
  };
  if (load.keys > 1) return { ...figures, overlaps: sum(taken.map(({ overlaps }) => overlaps)) };
  if (load.log) return { ...figures, ...sequence(taken) };
  const [only] = taken;
  return { ...figures, overlaps: only!.overlaps, handOvers: (only!.handOvers / only!.elapsed) * 1_000 };
}

/** A wait that was not over at the end counts with what it had waited, once that is more than most had to. */
function waitsOf(taken: readonly Taken[]): Record<string, number> {
  const finished = join(taken.map(({ waits }) => waits));
  const median = quantile(finished, 0.5);
  const long = join(taken.map(({ pending }) => pending)).filter((wait) => !(wait <= median));
  const waits = join([finished, long]);
  return { waitP50: quantile(waits, 0.5), waitP99: quantile(waits, 0.99), waitMax: quantile(waits, 1) };
}

/** Who came after whom on the one key, in all processes. */
function sequence(taken: readonly Taken[]): Record<string, number> {
  const holds = taken.flatMap(({ begins, ends, who }, process) =>
    Array.from(begins, (begin, at) => ({ begin, end: ends[at]!, process, waiter: who[at]! })),
  );
  holds.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let handOvers = 0;
  let overlaps = 0;
  const latencies: number[] = [];
  for (let at = 1; at < holds.length; at += 1) {
    const before = holds[at - 1]!;
    const hold = holds[at]!;
    const other = hold.process !== before.process;
    if (other || hold.waiter !== before.waiter) handOvers += 1;
    if (other) latencies.push(hold.begin - before.end);
    // The clocks of two processes are read some microseconds apart.
    if (hold.begin < before.end - (other ? 0.02 : 0)) overlaps += 1;
  }
  const elapsed = sum(taken.map((one) => one.elapsed)) / taken.length;
  const sorted = Float64Array.from(latencies);
  return {
    handOvers: (handOvers / elapsed) * 1_000,
    overlaps,
    ...(taken.length > 1 && {
      betweenProcesses: (latencies.length / elapsed) * 1_000,
      latencyP50: quantile(sorted, 0.5),
      latencyP99: quantile(sorted, 0.99),
      latencyMax: quantile(sorted, 1),
    }),
  };
}

function holdsOf({ perWaiter }: Taken): number {
  return sum(perWaiter);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function join(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(sum(parts.map(({ length }) => length)));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
