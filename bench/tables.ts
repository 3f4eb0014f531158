import { failed, spread, type Figures, type Round } from './figures.js';
import type { Kept } from './results.js';

/** Rows of text; the first is the head. */
export interface Table {
  readonly title: string;
  readonly rows: string[][];
  /** Sentences under it. */
  readonly notes: string[];
}

interface Column {
  readonly title: string;
  readonly text: (rounds: readonly Round[]) => string;
}

/** Digits that mean something: three, and all of those before the point. */
export function digits(value: number): string {
  if (value === Infinity) return '∞';
  if (!Number.isFinite(value)) return '-';
  const size = Number.isInteger(value) ? Infinity : Math.abs(value);
  const shown =
    size >= 100
      ? value.toFixed(0)
      : size >= 10
        ? value.toFixed(1)
        : size >= 1
          ? value.toFixed(2)
          : value.toPrecision(2);
  const [whole, part] = shown.split('.');
  return whole!.replace(/\B(?=(\d{3})+$)/g, ',') + (part === undefined ? '' : `.${part}`);
}

function range(title: string, figure: string): Column {
  return {
    title,
    text: (rounds) => {
      const found = spread(rounds, figure);
      if (!found) return '-';
      const { median, min, max } = found;
      return `${digits(median)}${min === max ? '' : ` (${digits(min)}–${digits(max)})`}`;
    },
  };
}

function middle(title: string, ...figures: string[]): Column {
  return {
    title,
    text: (rounds) => figures.map((figure) => digits(spread(rounds, figure)?.median ?? NaN)).join(' / '),
  };
}

const COSTS = [middle('commands each', 'commands'), middle('Redis µs', 'serverCpu'), middle('client µs', 'clientCpu')];
const PER_WAITER: Column = {
  title: 'per waiter',
  text: (rounds) =>
    `${digits(spread(rounds, 'leastOfWaiter')?.median ?? NaN)}..${digits(spread(rounds, 'mostOfWaiter')?.median ?? NaN)}`,
};
const WAITS = middle('wait p50 / p99 / max ms', 'waitP50', 'waitP99', 'waitMax');
const CONTENDED = [
  range('hand-overs/s', 'handOvers'),
  range('acquisitions/s', 'acquisitions'),
  WAITS,
  ...COSTS,
  PER_WAITER,
];

/** The one case of its scenario, whose title says all. */
const UNTITLED = ['line', 'crowd'];

/** The tables of a scenario. */
export function tablesOf(name: string, kept: Kept): Table[] {
  switch (name) {
    case 'uncontended':
      return [byCase(kept, 'pairs of acquire and release per second'), detail(kept, '256 keys', [...COSTS, WAITS])];
    case 'one-process':
      return [detail(kept, '32 waiters', CONTENDED)];
    case 'across-empty':
    case 'across-1ms':
      return [detail(kept, '8 waiters', CONTENDED)];
    case 'hand-over':
      return ['1 waiter that rests', '1 waiter'].map((one) =>
        detail(kept, one, [
          range('p50 ms', 'latencyP50'),
          middle('p99 / max ms', 'latencyP99', 'latencyMax'),
          middle('to another process/s', 'betweenProcesses'),
          middle('acquisitions/s', 'acquisitions'),
          middle('commands each', 'commands'),
          PER_WAITER,
        ]),
      );
    case 'line':
      return [
        detail(kept, 'line', [
          range('commands while held', 'commandsWaiting'),
          range('commands in all', 'commandsAll'),
          middle('all served after ms', 'served'),
          middle('out of turn', 'outOfTurn'),
        ]),
      ];
    case 'memory':
      return [byCase(kept, 'pairs of acquire and release per second')];
    case 'memory-crowd':
      return [detail(kept, 'crowd', [range('bytes of the heap', 'bytes')])];
    default:
      return [];
  }
}

function byCase(kept: Kept, title: string): Table {
  const cases = Object.keys(kept.cases).filter((name) => !name.endsWith(': exclusion'));
  const rows = kept.contestants.map(({ name, kind }) => [
    called(name, kind),
    ...cases.map((one) => range('', 'acquisitions').text(kept.cases[one]?.[name]?.rounds ?? [])),
  ]);
  return { title, rows: [['', ...cases], ...rows], notes: notesOf(kept, cases) };
}

function detail(kept: Kept, one: string, columns: readonly Column[]): Table {
  const rows = kept.contestants.map(({ name, kind }) => {
    const rounds = kept.cases[one]?.[name]?.rounds ?? [];
    return [called(name, kind), ...columns.map(({ text }) => (rounds.every(failed) ? 'failed' : text(rounds)))];
  });
  return {
    title: UNTITLED.includes(one) ? '' : one,
    rows: [['', ...columns.map(({ title }) => title)], ...rows],
    notes: notesOf(kept, [one]),
  };
}

function called(name: string, kind: string): string {
  return kind === 'peer' || kind === 'ours' ? name : `${name} (${kind})`;
}

/** What is wrong with a contestant's rounds, in words. */
export function faultsOf(kept: Kept, one: string, contestant: string): string[] {
  const { rounds }: Figures = kept.cases[one]?.[contestant] ?? { rounds: [] };
  const probes = kept.cases[`${one}: exclusion`]?.[contestant]?.rounds ?? [];
  const found: string[] = [];
  const failures = rounds.filter(failed);
  if (failures.length > 0)
    found.push(`failed in ${failures.length} of ${rounds.length} rounds (${failures[0]!.failed})`);
  const most = (of: readonly Round[], figure: string): number => spread(of, figure)?.max ?? 0;
  const overlaps = Math.max(most(rounds, 'overlaps'), most(probes, 'overlaps'));
  if (overlaps > 0) found.push(`two holders at once, ${digits(overlaps)} times in one run`);
  const failedProbe = probes.find(failed);
  if (failedProbe) found.push(`its check for exclusion failed (${failedProbe.failed})`);
  if (most(rounds, 'errors') > 0)
    found.push(`errors in up to ${digits(most(rounds, 'errors'))} acquisitions of a round`);
  if (most(rounds, 'starved') > 0)
    found.push(`starves up to ${most(rounds, 'starved')} of its waiters through a whole round`);
  return found;
}

function notesOf(kept: Kept, cases: readonly string[]): string[] {
  const notes: string[] = [];
  for (const { name } of kept.contestants) {
    for (const one of cases) {
      const faults = faultsOf(kept, one, name);
      if (faults.length > 0) notes.push(`${name}${cases.length > 1 ? `, ${one}` : ''}: ${faults.join('; ')}.`);
    }
  }
  return notes;
}

export function asText({ title, rows, notes }: Table): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  '),
  );
  return [...(title ? [title] : []), ...lines, ...notes.map((note) => `! ${note}`)].join('\n');
}

export function asMarkdown({ rows, notes }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const [head, ...body] = rows;
  const rule = head!.map((_, column) => (column === 0 ? '---' : '---:'));
  const listed = notes.length > 0 ? ['', ...notes.map((note) => `- ${note}`)] : [];
  return [line(head!), line(rule), ...body.map(line), ...listed].join('\n');
}
