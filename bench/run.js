// @ts-check
// `npm run bench`: installs what the library is compared with, builds library and benchmark into a folder of their own,
// starts a Redis, measures, stops it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureRedisServer } from '../test/support/redis_install.js';
import { HOST, RedisProcess } from '../test/support/redis_process.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const BENCH = join(PROJECT, 'bench');
const BUILD = join(PROJECT, 'build', 'bench');

const HELP = `npm run bench                  all scenarios
npm run bench -- --quick       a look at each; writes to build/bench alone
npm run bench -- --draw        measures nothing; charts and tables anew from bench/results.json
  --scenario NAME   one, or all whose names begin so; bench/README.md has the names
  --rounds N        5 unless given
  --seconds N       the length of a round; 1 unless given
`;

const options = optionsOf(process.argv.slice(2));
install();
build();
const program = ensureRedisServer();
const server = new RedisProcess(program);
try {
  await server.prepare();
  await server.launch((port) => ['--port', String(port), '--bind', HOST, '--save', '', '--appendonly', 'no']);
  const { main, UsageError } = await import(pathToFileURL(join(BUILD, 'main.js')).href);
  process.exitCode = await main(options, server.port, PROJECT).catch((/** @type {Error} */ error) => {
    if (error instanceof UsageError) return misused(error.message);
    throw error;
  });
} finally {
  await server.stop();
}

/** Ends the process where there is nothing to measure. @param {string[]} args */
function optionsOf(args) {
  const text = /** @type {const} */ ({ type: 'string' });
  const flag = /** @type {const} */ ({ type: 'boolean', default: false });
  const all = { scenario: text, seconds: text, rounds: text, quick: flag, draw: flag, help: flag };
  try {
    const { help, ...given } = parseArgs({ args, options: all }).values;
    if (!help) return given;
    process.stdout.write(HELP);
    process.exit(0);
  } catch (error) {
    process.exit(misused(/** @type {Error} */ (error).message));
  }
}

/** @param {string} why @returns {number} the exit code */
function misused(why) {
  process.stderr.write(`${why}\n\n${HELP}`);
  return 1;
}

/** The peers live beside this file; the project's own `npm ci` brings none of them. */
function install() {
  const wanted = readFileSync(join(BENCH, 'package-lock.json'), 'utf8');
  const installed = join(BENCH, 'node_modules', '.installed.json');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return;
  console.log('installing what the library is compared with …');
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], BENCH);
  writeFileSync(installed, wanted);
}

/** Both are built apart from `dist`, which may be built anew while the benchmark runs. */
function build() {
  console.log('building …');
  rmSync(BUILD, { recursive: true, force: true });
  mkdirSync(BUILD, { recursive: true });
  const tsc = join(PROJECT, 'node_modules', 'typescript', 'bin', 'tsc');
  const library = ['-p', 'tsconfig.build.json', '--noCheck', '--declaration', 'false', '--outDir', join(BUILD, 'dist')];
  run(process.execPath, [tsc, ...library], PROJECT);
  run(process.execPath, [tsc, '-p', 'bench/tsconfig.json', '--noCheck'], PROJECT);
  // A package of the same name around both: in there the library's name means the copy.
  const { name, version, type, exports } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8'));
  writeFileSync(join(BUILD, 'package.json'), JSON.stringify({ name, version, type, exports }, undefined, 2));
  symlinkSync(join(BENCH, 'node_modules'), join(BUILD, 'node_modules'), 'junction');
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 */
function run(command, args, cwd) {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit', shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`${command} ${args[0]} failed`);
}
