import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, totalmem } from 'node:os';
import { join } from 'node:path';
import type { Figures, Round } from './figures.js';
import type { Measured, Settings } from './rounds.js';
import type { Scenario } from './scenarios.js';
import type { Server } from './server.js';

/** What is kept of a scenario. */
export interface Kept {
  readonly title: string;
  readonly about: About;
  readonly contestants: readonly { readonly name: string; readonly kind: string; readonly settings: string }[];
  readonly cases: Measured;
}

/** Where, when and with what a scenario was measured. */
export interface About {
  readonly date: string;
  readonly machine: string;
  readonly node: string;
  readonly redis: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly seconds: number;
  readonly rounds: number;
  readonly quick: boolean;
}

/** results.json: the last run of each scenario. */
export type Results = Record<string, Kept>;

export async function about(project: string, settings: Settings, server: Server): Promise<About> {
  const [cpu] = cpus();
  const gigabytes = Math.round(totalmem() / 2 ** 30);
  return {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} x ${cpu?.model.trim() ?? 'unknown'}, ${gigabytes} GB, ${platform()} ${arch()}`,
    node: process.versions.node,
    redis: await server.version(),
    packages: packages(project),
    ...settings,
  };
}

function packages(project: string): Record<string, string> {
  const read = (...path: string[]): { version: string; dependencies?: Record<string, string> } =>
    JSON.parse(readFileSync(join(project, ...path), 'utf8')) as { version: string };
  const versions: Record<string, string> = {
    'mcube-lock': read('package.json').version,
    ioredis: read('node_modules', 'ioredis', 'package.json').version,
  };
  for (const name of Object.keys(read('bench', 'package.json').dependencies ?? {})) {
    versions[name] = read('bench', 'node_modules', ...name.split('/'), 'package.json').version.replace(/^v/, '');
  }
  return versions;
}

export function keep(scenario: Scenario, about: About, cases: Measured): Kept {
  const contestants = scenario.contestants.map(({ name, kind, settings }) => ({ name, kind, settings }));
  return { title: scenario.title, about, contestants, cases: rounded(cases) };
}

/** Six digits say more than the measurement does. */
function rounded(cases: Measured): Measured {
  return JSON.parse(
    JSON.stringify(cases, (_key, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(6)) : value)),
  ) as Measured;
}

/** In the file each figure has one line, with its value of each round; null where a round has none. */
type Lines = Record<string, (number | string | null)[]>;

export function readResults(file: string): Results {
  if (!existsSync(file)) return {};
  const stored = JSON.parse(readFileSync(file, 'utf8')) as Results;
  return withCases(stored, (lines) => ({ rounds: roundsOf(lines as unknown as Lines) }));
}

export async function writeResults(file: string, results: Results): Promise<void> {
  const stored = withCases(results, ({ rounds }) => linesOf(rounds) as unknown as Figures);
  const { format } = await import('prettier');
  writeFileSync(file, await format(JSON.stringify(stored), { parser: 'json', printWidth: 120 }));
}

function withCases(results: Results, change: (figures: Figures) => Figures): Results {
  const changed = (cases: Measured): Measured => mapValues(cases, (contestants) => mapValues(contestants, change));
  return mapValues(results, (kept) => ({ ...kept, cases: changed(kept.cases) }));
}

function linesOf(rounds: readonly Round[]): Lines {
  const names = [...new Set(rounds.flatMap((round) => Object.keys(round)))];
  const values = (name: string): (number | string | null)[] =>
    rounds.map((round) => (round as Record<string, number | string>)[name] ?? null);
  return Object.fromEntries(names.map((name) => [name, values(name)]));
}

function roundsOf(lines: Lines): Round[] {
  const [first] = Object.values(lines);
  return (first ?? []).map((_, at) => {
    const values = Object.entries(lines).map(([name, line]) => [name, line[at]]);
    return Object.fromEntries(values.filter(([, value]) => value !== null)) as Round;
  });
}

function mapValues<T, U>(record: Record<string, T>, change: (value: T) => U): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value)]));
}
