// @ts-check
// `npm run bench`: installs what the library is compared with, builds library and benchmark into a folder of their own,
// starts a Redis, measures, stops it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureRedisServer } from '../test/support/redis_install.js';
import { HOST, RedisProcess } from '../test/support/redis_process.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const BENCH = join(PROJECT, 'bench');
const BUILD = join(PROJECT, 'build', 'bench');

install();
build();
const program = ensureRedisServer();
const server = new RedisProcess(program);
try {
  await server.prepare();
  await server.launch((port) => ['--port', String(port), '--bind', HOST, '--save', '', '--appendonly', 'no']);
  const { main } = await import(pathToFileURL(join(BUILD, 'main.js')).href);
  process.exitCode = await main(process.argv.slice(2), server.port, PROJECT);
} finally {
  await server.stop();
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
