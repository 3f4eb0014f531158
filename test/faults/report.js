// @ts-check
import { execFileSync } from 'node:child_process';

/** @typedef {import('./trial.js').Result} Result */

/** What was run on what. @param {string} project @param {string} redis the server's version */
export function surroundings(project, redis) {
  let commit = '';
  try {
    commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: project,
      encoding: 'utf8',
      stdio: 'pipe',
    }).trim();
  } catch {
    // Not every copy of the project has its history.
  }
  return { date: new Date().toISOString().slice(0, 10), node: process.version, redis, commit };
}

/** A row for each plan: what was done, what was seen. @param {readonly Result[]} results */
function rows(results) {
  const head = ['provider', 'plan', 'fault', 'injected', 'acquisitions', 'writes', 'stale', 'excused', 'violations'];
  const body = results.map((one) => [
    ...[one.provider, one.plan, one.fault],
    ...[one.injected, one.acquisitions, one.writes, one.refused, one.excused, one.violations.length].map(String),
  ]);
  const sum = (/** @type {(one: Result) => number} */ of) => String(results.reduce((all, one) => all + of(one), 0));
  const total = [
    ...['', 'all', '', sum((one) => one.injected), sum((one) => one.acquisitions), sum((one) => one.writes)],
    ...[sum((one) => one.refused), sum((one) => one.excused), sum((one) => one.violations.length)],
  ];
  return [head, ...body, total];
}

/** @param {readonly Result[]} results */
export function table(results) {
  const lines = rows(results);
  const widths = lines[0]?.map((_, at) => Math.max(...lines.map((line) => line[at]?.length ?? 0))) ?? [];
  const pad = (/** @type {string} */ cell, /** @type {number} */ at) =>
    at < 3 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0);
  return `${lines.map((line) => line.map(pad).join('  ').trimEnd()).join('\n')}\n`;
}

/** @param {readonly Result[]} results @param {ReturnType<typeof surroundings>} where @param {number} seed */
export function markdown(results, { date, node, redis, commit }, seed) {
  const [head = [], ...body] = rows(results);
  const under = head.map((_, at) => (at < 3 ? '---' : '---:'));
  const lines = [head, under, ...body].map((line) => `| ${line.join(' | ')} |`);
  return `${date}, seed ${seed}, Node ${node}, Redis ${redis}, commit ${commit}\n\n${lines.join('\n')}\n`;
}
