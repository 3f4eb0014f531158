// Breaks each promise of test/broken/promises.js in a copy of the project and sees the tests that should notice fail.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { BROKEN } from '../test/broken/promises.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const NEEDED = [
  'src',
  'test',
  'etc',
  'scripts',
  'package.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'jest.config.js',
];
const LIMIT_MS = 90_000;

const NOTICED = 'noticed  ';
const UNNOTICED = 'UNNOTICED';
/** The tests did not end within the limit: on a machine that is slow or busy, look whether they do when nothing is broken. */
const ENDLESS = 'endless  ';

const NODE = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];

const wanted = process.argv.slice(2).join(' ');
const chosen = BROKEN.filter(({ promise }) => promise.includes(wanted));
if (chosen.length === 0) {
  console.error(`none of the ${BROKEN.length} promises of test/broken/promises.js contains ${JSON.stringify(wanted)}`);
  process.exit(1);
}
const copy = copyProject();
/** Ends what is being run. */
let end = () => undefined;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => stop(signal));
let unnoticed = 0;
try {
  for (const [at, broken] of chosen.entries()) {
    const started = performance.now();
    const outcome = await breakAndTest(broken);
    if (outcome === UNNOTICED) unnoticed += 1;
    const seconds = Math.round((performance.now() - started) / 1_000);
    console.log(`${at + 1}/${chosen.length} ${outcome} ${broken.promise} (${seconds} s)`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`${chosen.length - unnoticed} of ${chosen.length} broken promises were noticed`);
process.exitCode = unnoticed === 0 ? 0 : 1;

function copyProject() {
  mkdirSync(join(PROJECT, 'build'), { recursive: true });
  const folder = mkdtempSync(join(PROJECT, 'build', 'broken-'));
  for (const name of NEEDED) cpSync(join(PROJECT, name), join(folder, name), { recursive: true });
  symlinkSync(join(PROJECT, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** What becomes of the tests once the edit is made. An edit that no longer fits, or does not run at all, is an error. */
async function breakAndTest({ promise, file, from, to, tests, only, built }) {
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  if (source.split(from).length !== 2)
    throw new Error(`${promise}: the text to break is not once in ${file}:\n${from}`);
  writeFileSync(
    path,
    source.replace(from, () => to),
  );
  try {
    if (built) await run(['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--noCheck']);
    const { status, signal, stdout, stderr } = await run([...NODE, ...tests, ...(only ? ['-t', only] : [])]);
    if (signal === 'SIGKILL') return ENDLESS;
    if (!/\b\d+ passed, \d+ failed/.test(stdout))
      throw new Error(`${promise}: the tests did not run:\n${stdout}${stderr}`);
    return status === 0 ? UNNOTICED : NOTICED;
  } finally {
    writeFileSync(path, source);
  }
}

/** Runs Node in the copy, and ends it at the limit: a broken promise may also show as a test that never ends. */
async function run(args) {
  // A group of its own, so that the servers of its tests end with it.
  const child = spawn(process.execPath, args, { cwd: copy, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  end = () => process.kill(-child.pid, 'SIGKILL');
  const timer = setTimeout(end, LIMIT_MS);
  const [[status, signal], stdout, stderr] = await Promise.all([
    once(child, 'close').finally(() => clearTimeout(timer)),
    text(child.stdout),
    text(child.stderr),
  ]);
  end = () => undefined;
  return { status, signal, stdout, stderr };
}

/** Nothing stays behind, and whoever sent the signal sees that it was heeded. */
function stop(signal) {
  end();
  rmSync(copy, { recursive: true, force: true });
  process.kill(process.pid, signal);
}
