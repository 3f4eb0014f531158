import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';
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
    machine: `${cpus().length} x ${cpu?.model.trim() ?? 'unknown'}, ${gigabytes} GB, ${platform()} ${release()} ${arch()}`,
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

export function readResults(file: string): Results {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Results) : {};
}

export function writeResults(file: string, results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, undefined, 1)}\n`);
}
