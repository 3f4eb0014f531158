import { inMemory, onRedis, type Contestant } from './contestants/index.js';
import type { Load, Section } from './job.js';

/** One load within a scenario. */
export interface Case {
  readonly name: string;
  readonly load: Load;
}

interface Common {
  /** As `--scenario` takes it. */
  readonly name: string;
  readonly title: string;
  readonly table: 'onRedis' | 'inMemory';
  readonly contestants: readonly Contestant[];
  /** Of the seconds of a round that were asked for. */
  readonly stretch: number;
}

/** Loops of acquire, section, release. */
export interface LoadScenario extends Common {
  readonly kind: 'load';
  readonly processes: number;
  readonly cases: readonly Case[];
  /** Run before the cases in each process and not kept: what is measured then has been compiled, as in a service that runs. */
  readonly warm?: Case;
  /** Whether a case has processes of its own, not those of the case before. */
  readonly apart: boolean;
  /**
   * In how many parts a round is measured, while the contestants take turns. More than one where everybody's loops come to rest at
   * once, and no wait is longer than a part.
   */
  readonly parts: number;
  /** Whether the same is run once more with a turn of the event loop in the section, where overlaps would be seen. */
  readonly probe: boolean;
}

/** Waiters behind one holder of another process. */
export interface LineScenario extends Common {
  readonly kind: 'line';
  readonly waiters: number;
  /** How long the holder keeps them waiting, in seconds. */
  readonly held: number;
}

/** A crowd that waits, weighed. */
export interface CrowdScenario extends Common {
  readonly kind: 'crowd';
  readonly keys: number;
  /** Of each key. */
  readonly waiters: number;
}

export type Scenario = LoadScenario | LineScenario | CrowdScenario;

/** Of a fifth of a second, if a round takes one. */
const PARTS = 5;

const contending = onRedis.filter(({ uncontendedOnly }) => !uncontendedOnly);

function each(keys: number): Case {
  // Stamps on each took up to 5 % of the client's time, of the fastest with 256 keys.
  const load: Load = { keys, waiters: keys, roam: false, section: 'empty', rest: 0, stampEvery: 16, log: false };
  return { name: keys === 1 ? '1 key' : `${keys} keys`, load };
}

function one(waiters: number, section: Section): Case[] {
  const load: Load = { keys: 1, waiters, roam: false, section, rest: 0, stampEvery: 1, log: true };
  return [{ name: waiters === 1 ? '1 waiter' : `${waiters} waiters`, load }];
}

/** The same, but none of the waiters takes again what it has just released. */
function resting(waiters: number, section: Section, rest: number): Case[] {
  return one(waiters, section).map(({ name, load }) => ({ name: `${name} that rests`, load: { ...load, rest } }));
}

function memory(name: string, keys: number, waiters: number, roam = false): Case {
  return { name, load: { keys, waiters, roam, section: 'empty', rest: 0, stampEvery: 64, log: false } };
}

export const SCENARIOS: readonly Scenario[] = [
  {
    kind: 'load',
    name: 'uncontended',
    title: 'Uncontended: acquire and release, one loop per key, one process',
    table: 'onRedis',
    contestants: onRedis,
    stretch: 1,
    processes: 1,
    cases: [1, 8, 64, 256, 1_024].map(each),
    warm: each(64),
    apart: false,
    parts: PARTS,
    probe: false,
  },
  {
    kind: 'load',
    name: 'one-process',
    title: 'Contended in one process: 32 waiters, one key, empty section',
    table: 'onRedis',
    contestants: contending,
    stretch: 1,
    processes: 1,
    cases: one(32, 'empty'),
    apart: true,
    parts: 1,
    probe: true,
  },
  {
    kind: 'load',
    name: 'across-empty',
    title: 'Contended across processes: 4 x 8 waiters, one key, empty section',
    table: 'onRedis',
    contestants: contending,
    stretch: 2,
    processes: 4,
    cases: one(8, 'empty'),
    apart: true,
    parts: 1,
    probe: true,
  },
  {
    kind: 'load',
    name: 'across-1ms',
    title: 'Contended across processes: 4 x 8 waiters, one key, section of 1 ms',
    table: 'onRedis',
    contestants: contending,
    stretch: 3,
    processes: 4,
    cases: one(8, 1),
    apart: true,
    parts: 1,
    probe: false,
  },
  {
    kind: 'load',
    name: 'hand-over',
    title: 'One hand-over between processes: 4 x 1 waiter, section of 2 ms; then a rest of 3 ms, or none',
    table: 'onRedis',
    contestants: contending,
    stretch: 2,
    processes: 4,
    cases: [...resting(1, 2, 3), ...one(1, 2)],
    apart: true,
    parts: 1,
    probe: false,
  },
  {
    kind: 'line',
    name: 'line',
    title: '100 waiters of one process behind one holder of another',
    table: 'onRedis',
    contestants: contending,
    stretch: 1,
    waiters: 100,
    held: 5,
  },
  {
    kind: 'load',
    name: 'memory',
    title: 'In memory: acquire and release',
    table: 'inMemory',
    contestants: inMemory,
    stretch: 1,
    processes: 1,
    cases: [
      memory('1 key', 1, 1),
      memory('10,000 keys', 10_000, 1, true),
      memory('1 key, 100 waiters', 1, 100),
      memory('1,000 keys, 10 waiters each', 1_000, 10_000),
    ],
    warm: memory('100 keys, 2 waiters each', 100, 200),
    apart: true,
    parts: PARTS,
    probe: true,
  },
  {
    kind: 'crowd',
    name: 'memory-crowd',
    title: 'In memory: what a waiter takes, of 50 for each of 1,000 keys',
    table: 'inMemory',
    contestants: inMemory.filter(({ uncontendedOnly }) => !uncontendedOnly),
    stretch: 1,
    keys: 1_000,
    waiters: 50,
  },
];
