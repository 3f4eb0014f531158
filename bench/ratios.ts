import { failed, spread, spreadOf, type Round, type Spread } from './figures.js';
import type { Results, Kept } from './results.js';
import { digits, type Table } from './tables.js';

/** One figure of ours beside that of others. */
interface Headline {
  readonly what: string;
  readonly scenario: string;
  readonly case: string;
  readonly figure: string;
  /** Whether less is better. */
  readonly less?: boolean;
  /** The kinds and names that it is compared with; of several peers with the best. */
  readonly with: readonly string[];
}

const KEYS = ['1 key', '8 keys', '64 keys', '256 keys', '1024 keys'];
const MEMORY = ['1 key', '10,000 keys', '1 key, 100 waiters', '1,000 keys, 10 waiters each'];
const CONTENDED = [
  { scenario: 'one-process', case: '32 waiters', what: '32 waiters in one process' },
  { scenario: 'across-empty', case: '8 waiters', what: '4 x 8 waiters, empty section' },
  { scenario: 'across-1ms', case: '8 waiters', what: '4 x 8 waiters, section of 1 ms' },
];
const HAND_OVERS = [
  { case: '1 waiter that rests', what: 'hand-over between processes: p50 ms' },
  { case: '1 waiter', what: 'the same where the releaser asks again at once: p50 ms' },
];

const HEADLINES: readonly Headline[] = [
  ...KEYS.map((keys) => ({
    what: `${keys}, pairs/s`,
    scenario: 'uncontended',
    case: keys,
    figure: 'acquisitions',
    with: ['peer', 'floor', 'limit'],
  })),
  ...CONTENDED.flatMap(({ what, ...at }) => [
    { ...at, what: `${what}: hand-overs/s`, figure: 'handOvers', with: ['peer', 'reference'] },
    { ...at, what: `${what}: acquisitions/s`, figure: 'acquisitions', with: ['peer', 'reference'] },
    { ...at, what: `${what}: wait p99 ms`, figure: 'waitP99', less: true, with: ['peer', 'reference'] },
    { ...at, what: `${what}: commands each`, figure: 'commands', less: true, with: ['peer', 'reference'] },
    { ...at, what: `${what}: most / least per waiter`, figure: 'unevenness', less: true, with: ['peer', 'reference'] },
  ]),
  ...HAND_OVERS.map((one) => ({
    ...one,
    scenario: 'hand-over',
    figure: 'latencyP50',
    less: true,
    with: ['reference', 'simple-redis-mutex'],
  })),
  {
    what: '100 waiters: commands in all',
    scenario: 'line',
    case: 'line',
    figure: 'commandsAll',
    less: true,
    with: ['peer', 'reference'],
  },
  ...MEMORY.map((load) => ({
    what: `${load}, pairs/s`,
    scenario: 'memory',
    case: load,
    figure: 'acquisitions',
    with: ['peer', 'async-lock', 'async-mutex', 'floor'],
  })),
  {
    what: 'a waiter: bytes',
    scenario: 'memory-crowd',
    case: 'crowd',
    figure: 'bytes',
    less: true,
    with: ['peer'],
  },
];

/** What comes after it in the name of a contestant tells which of our ways it takes. */
const OUR_NAME = 'mcube-lock';

interface Compared {
  readonly name: string;
  readonly spread: Spread;
  readonly rounds: readonly Round[];
}

/** What is said of a scenario in one number each. */
export function ratiosOf(scenario: string, results: Results): Table | undefined {
  const kept = results[scenario];
  if (!kept) return undefined;
  const ours = kept.contestants.filter(({ kind }) => kind === 'ours');
  const headlines = HEADLINES.filter((one) => one.scenario === scenario);
  const rows = headlines.flatMap((headline) =>
    ours.flatMap(({ name }) => {
      const our = figureOf(kept, headline, name);
      if (!our) return [];
      const named = { ...headline, what: headline.what + name.slice(OUR_NAME.length) };
      const others = headline.with.flatMap((other) => rivals(kept, headline, other));
      return others.map(({ label, their }) => row(named, our, label, their));
    }),
  );
  if (rows.length === 0) return undefined;
  const notes = rows.some(([, , name]) => name?.includes('*'))
    ? [
        '* overlaps, fails, or gives some of its waiters nothing in most rounds; the line after it is the best that does not.',
      ]
    : [];
  return {
    title: 'Ratios of medians; of single rounds: the median, and the least to the most',
    rows: [['', OUR_NAME, 'compared with', 'its figure', 'ratio'], ...rows],
    notes,
  };
}

function row(headline: Headline, our: Compared, label: string, their: Compared): string[] {
  const pairs = our.rounds.flatMap((round, at) => {
    const other = their.rounds[at];
    if (failed(round) || !other || failed(other)) return [];
    const ratio = valueOf(round, headline.figure) / valueOf(other, headline.figure);
    return Number.isFinite(ratio) ? [ratio] : [];
  });
  const ratio = our.spread.median / their.spread.median;
  return [
    `${headline.what}${headline.less ? ' (less is better)' : ''}`,
    digits(our.spread.median),
    label,
    digits(their.spread.median),
    `${digits(ratio)}${pairs.length > 1 ? ofRounds(pairs) : ''}`,
  ];
}

/** Contestants that take turns within a round meet the same minutes: then the median of these tells more than the ratio of medians. */
function ofRounds(ratios: readonly number[]): string {
  const { median, min, max } = spreadOf(ratios);
  return ` (${digits(median)}; ${digits(min)}–${digits(max)})`;
}

/** The best of a kind; of peers also the best sound one, where the best is not. */
function rivals(kept: Kept, headline: Headline, other: string): { label: string; their: Compared }[] {
  const found = kept.contestants
    .filter(({ name, kind }) => kind === other || name === other)
    .flatMap(({ name, kind }) => {
      const their = figureOf(kept, headline, name);
      return their ? [{ name, kind, their, sound: isSound(kept, headline.case, name) }] : [];
    })
    .sort((a, b) => (b.their.spread.median - a.their.spread.median) * (headline.less ? -1 : 1));
  const [best] = found;
  if (!best) return [];
  const sound = found.find((one) => one.sound);
  const chosen = best.sound || !sound ? [best] : [best, sound];
  return chosen.map((one) => ({
    label: `${one.kind === 'peer' && other === 'peer' ? 'best peer, ' : ''}${one.name}${one.sound ? '' : ' *'}`,
    their: one.their,
  }));
}

function figureOf(kept: Kept, { case: name, figure }: Headline, contestant: string): Compared | undefined {
  const rounds = kept.cases[name]?.[contestant]?.rounds ?? [];
  const derived = rounds.map((round) => (failed(round) ? round : { [figure]: valueOf(round, figure) }));
  const found = spread(derived, figure);
  return found ? { name: contestant, spread: found, rounds } : undefined;
}

function valueOf(round: Exclude<Round, { failed: string }>, figure: string): number {
  const values = round;
  if (figure === 'unevenness') return (values['mostOfWaiter'] ?? NaN) / (values['leastOfWaiter'] ?? NaN);
  return values[figure] ?? NaN;
}

/** Holds are exclusive, no round failed, and in most rounds every waiter had its turn. */
export function isSound(kept: Kept, name: string, contestant: string): boolean {
  const rounds = kept.cases[name]?.[contestant]?.rounds ?? [];
  const probes = kept.cases[`${name}: exclusion`]?.[contestant]?.rounds ?? [];
  const all = [...rounds, ...probes];
  const worst = (figure: string): number => spread(all, figure)?.max ?? 0;
  if (all.some(failed) || worst('overlaps') > 0 || worst('errors') > 0) return false;
  return (spread(rounds, 'starved')?.median ?? 0) === 0;
}
