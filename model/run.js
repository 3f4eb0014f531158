// @ts-check
// Explores every configuration of the model completely, and looks whether every control is found:
//   node model/run.js [--only name] [--long] [--json]
// Exit code 1 when anything is not as the table says.
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv } from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { aptGet, canInstall } from '../test/support/apt.js';
import { findProgram } from '../test/support/redis_process.js';
import { CONFIGURATIONS, CONTROLS, LONG } from './table.js';

/** @typedef {import('./table.js').Row} Row */
/** @typedef {{ name: string, states: number, depth: number, seconds: number, verdict: string, ok: boolean }} Result */

const HERE = dirname(fileURLToPath(import.meta.url));
const BUILD = join(HERE, '../build/model');
const HOW_TO_GET_SPIN =
  'the model needs spin and gcc: install both (Debian, Ubuntu: apt-get install spin gcc libc6-dev; macOS: brew install spin gcc).';
/** What a search may take, of time and of memory; what does not end within it has failed. */
const SEARCH_LIMIT_MS = 400_000;
const MEMORY_MB = 2_500;
const DEPTH = 600_000;
const AT_ONCE = 2;

// Every state is stored in full; no partial-order reduction, for all steps share the state.
const COMPILE = ['-O2', '-w', '-DSAFETY', '-DNOREDUCE', `-DMEMLIM=${MEMORY_MB}`, '-o', 'pan', 'pan.c'];

/**
 * Finds spin and gcc, or installs Debian's packages where that can be done without asking anybody.
 * @returns {{ spin: string, gcc: string }} their paths
 * @throws {Error} they are not there and cannot be installed; the message tells how to get them
 */
export function ensureSpin() {
  const find = () => ({ spin: findProgram('spin'), gcc: findProgram('gcc') });
  let { spin, gcc } = find();
  if (!(spin && gcc) && canInstall()) {
    process.stderr.write('installing spin and gcc with apt-get …\n');
    aptGet(HOW_TO_GET_SPIN, 'update');
    aptGet(HOW_TO_GET_SPIN, 'install', '-y', '--no-install-recommends', 'spin', 'gcc', 'libc6-dev');
    ({ spin, gcc } = find());
  }
  if (!spin || !gcc) throw new Error(HOW_TO_GET_SPIN);
  return { spin, gcc };
}

/**
 * Builds the verifier of a row and runs it to its end.
 * @param {Row} row
 * @param {{ spin: string, gcc: string }} tools
 * @param {AbortSignal} [signal] ends it
 * @returns {Promise<Result>}
 */
export async function explore(row, { spin, gcc }, signal) {
  const folder = join(BUILD, row.name);
  mkdirSync(folder, { recursive: true });
  copyFileSync(join(HERE, 'lock.pml'), join(folder, 'lock.pml'));
  const started = performance.now();
  const built = await run(spin, ['-a', ...row.flags.split(' '), 'lock.pml'], folder, signal);
  const compiled = built.ok ? await run(gcc, COMPILE, folder, signal) : built;
  const { out } = compiled.ok ? await run('./pan', [`-m${DEPTH}`, '-w24', '-n'], folder, signal) : compiled;
  return { name: row.name, ...judge(row, out), seconds: Math.round((performance.now() - started) / 100) / 10 };
}

/**
 * Explores rows, two at one time.
 * @param {readonly Row[]} rows
 * @param {{ spin: string, gcc: string }} tools
 * @param {AbortSignal} [signal] ends them
 * @returns {Map<string, Promise<Result>>} by name; none of them rejects
 */
export function exploreAll(rows, tools, signal) {
  const lanes = Array.from({ length: AT_ONCE }, () => /** @type {Promise<unknown>} */ (Promise.resolve()));
  return new Map(
    rows.map((row, at) => {
      const lane = at % AT_ONCE;
      const searched = /** @type {Promise<unknown>} */ (lanes[lane]).then(() => explore(row, tools, signal));
      lanes[lane] = searched;
      return [row.name, searched];
    }),
  );
}

/**
 * What a verifier's output says. Only "errors: 0" of a search that lacks nothing is a proof.
 * @param {Row} row
 * @param {string} out
 * @returns {Omit<Result, 'name' | 'seconds'>}
 */
export function judge(row, out) {
  const number = (/** @type {RegExp} */ pattern) => Number(pattern.exec(out)?.[1] ?? 0);
  const found = /assertion violated \((\w+)==0\)/.exec(out)?.[1];
  const cut = /max search depth too small|out of memory|Search not completed|hash table is full|truncated|-DMEMLIM/i;
  const complete = /errors: 0\s/.test(out) && !cut.test(out);
  const verdict = found
    ? `${found} is broken`
    : complete
      ? 'complete, no error'
      : `failed: ${/^(?:pan:1|error|spin|gcc).*$/m.exec(out)?.[0] ?? (out.trim().split('\n').at(-1) || 'no output')}`;
  const ok = row.breaks ? found === row.breaks : !found && complete;
  return { states: number(/(\d+) states, stored/), depth: number(/depth reached (\d+)/), verdict, ok };
}

/**
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 * @param {AbortSignal} [signal]
 * @returns {Promise<{ ok: boolean, out: string }>}
 */
function run(program, args, cwd, signal) {
  return new Promise((resolve) => {
    execFile(
      program,
      args,
      { cwd, ...(signal && { signal }), timeout: SEARCH_LIMIT_MS, killSignal: 'SIGKILL', maxBuffer: 2 ** 26 },
      (error, out, err) =>
        resolve({
          ok: !error,
          out: `${out}${err}${error?.killed ? `\nerror: not done after ${SEARCH_LIMIT_MS} ms` : ''}`,
        }),
    );
  });
}

async function main() {
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  const { values } = parseArgs({ options: { only: { type: 'string' }, long: flag, json: flag } });
  const all = [...CONFIGURATIONS, ...(values.long || values.only ? LONG : []), ...CONTROLS];
  const rows = all.filter(({ name }) => !values.only || name === values.only);
  if (rows.length === 0) {
    const names = [...CONFIGURATIONS, ...LONG, ...CONTROLS].map(({ name }) => name).join(', ');
    throw new Error(`--only: found ${values.only}, expected one of ${names}`);
  }
  const tools = ensureSpin();
  const under = exploreAll(rows, tools);
  /** @type {Result[]} */
  const results = await Promise.all(
    [...under.values()].map(async (searched) => {
      const result = await searched;
      process.stderr.write(`${result.ok ? 'ok   ' : 'WRONG'} ${line(result)}\n`);
      return result;
    }),
  );
  if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
  else for (const result of results) process.stdout.write(`${line(result)}\n`);
  return results.every(({ ok }) => ok);
}

/** @param {Result} result */
function line({ name, states, depth, seconds, verdict }) {
  return `${name.padEnd(20)} ${String(states).padStart(9)} states  depth ${String(depth).padStart(7)}  ${seconds.toFixed(1).padStart(6)} s  ${verdict}`;
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = (await main()) ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
}
