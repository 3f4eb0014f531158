import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { drawCharts } from './charts.js';
import { fillPage } from './pages.js';
import { ratiosOf } from './ratios.js';
import { about, keep, readResults, writeResults } from './results.js';
import { runScenario, type Settings } from './rounds.js';
import { SCENARIOS } from './scenarios.js';
import { Server } from './server.js';
import { asText, tablesOf } from './tables.js';

/** What was asked for, as it was typed. */
export interface Options {
  readonly scenario?: string;
  readonly seconds?: string;
  readonly rounds?: string;
  readonly quick: boolean;
  readonly draw: boolean;
}

/** It was called wrongly. */
export class UsageError extends Error {}

/**
 * Measures, prints, writes.
 * @returns the exit code
 */
export async function main(options: Options, port: number, project: string): Promise<number> {
  const { quick, draw } = options;
  const settings: Settings = {
    seconds: positive('seconds', options.seconds, quick ? 0.3 : 1),
    rounds: positive('rounds', options.rounds, quick ? 1 : 5),
    quick,
  };
  const chosen = SCENARIOS.filter(({ name }) => name.startsWith(options.scenario ?? ''));
  if (chosen.length === 0) {
    throw new UsageError(
      `--scenario: found ${options.scenario}, expected one of ${SCENARIOS.map(({ name }) => name).join(', ')}`,
    );
  }
  const server = new Server(port);
  // A quick look is no record.
  const built = join(project, 'build', 'bench');
  const file = join(quick ? built : join(project, 'bench'), 'results.json');
  const results = readResults(file);
  const told = await about(project, settings, server);
  try {
    for (const scenario of draw ? [] : chosen) {
      console.log(`\n=== ${scenario.title}`);
      const measured = await runScenario(scenario, settings, server, progress);
      progress('');
      const kept = keep(scenario, told, measured);
      results[scenario.name] = kept;
      await writeResults(file, results);
      const ratios = ratiosOf(scenario.name, results);
      for (const table of [...tablesOf(scenario.name, kept), ...(ratios ? [ratios] : [])]) {
        console.log(`\n${asText(table)}`);
      }
    }
    const charts = quick ? built : join(project, 'docs', 'images');
    mkdirSync(charts, { recursive: true });
    const drawn = drawCharts(results, charts);
    if (!quick) fillPage(join(project, 'docs', 'performance.md'), results);
    const where = quick ? 'build/bench' : 'bench/results.json, docs/performance.md and docs/images';
    console.log(`\nWritten to ${where}: the figures, and ${drawn.length} charts.`);
  } finally {
    server.close();
  }
  return 0;
}

/** On a terminal one line that changes. */
function progress(line: string): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[K${line}`);
  else if (line) console.log(line);
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (value > 0) return value;
  throw new UsageError(`--${name}: found ${text}, expected a number above 0`);
}
