import { existsSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { PROJECT, runChild, type Ended } from '../support/child.js';
import { tempDir, type TempDir } from '../support/temp_dir.js';

const INSTALL_LIMIT_MS = 240_000;
const COMPILE_LIMIT_MS = 180_000;

/** A folder where the packed package is installed as a user installs it; the consumers are folders in it. */
let home: TempDir;
/** The package as installed. */
let installed: string;
/** Files of the installed package, from its folder. */
let files: string[];

beforeAll(async () => {
  if (!existsSync(join(PROJECT, 'dist/index.js'))) throw new Error('no dist/index.js: run `npm run build` first');
  home = await tempDir({ 'package.json': '{ "private": true }' });
  installed = join(home.path, 'node_modules/mcube-lock');
  // Without scripts: `npm test` built the package already, and other tests use what it built.
  const { stdout } = await npm(PROJECT, 'pack', '--ignore-scripts', '--pack-destination', home.path);
  const tarball = home.file(stdout.trim().split('\n').at(-1) ?? '');
  const wanted = [tarball, `@types/node@${versionOf('@types/node')}`];
  await npm(home.path, 'install', '--prefer-offline', '--no-audit', '--no-fund', ...wanted);
  const found = await readdir(installed, { recursive: true, withFileTypes: true });
  files = found.filter((one) => one.isFile()).map((one) => relative(installed, join(one.parentPath, one.name)));
}, INSTALL_LIMIT_MS);

afterAll(() => home.remove());

async function npm(cwd: string, ...args: string[]): Promise<Ended> {
  // Under `npm test` the environment speaks of our own package, which is not what these commands are about.
  const ours = Object.keys(process.env).filter((name) => /^npm_(package|lifecycle|config_local_prefix)/.test(name));
  const env = Object.fromEntries(ours.map((name) => [name, undefined]));
  const ended = await runChild('npm', args, { cwd, env, limit: INSTALL_LIMIT_MS });
  if (ended.code !== 0) throw new Error(`npm ${args[0]} failed:\n${ended.stdout}${ended.stderr}`);
  return ended;
}

/** The version of a package that the library itself is built with. */
function versionOf(name: string): string {
  const manifest = readFileSync(join(PROJECT, 'node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}

describe('the package', () => {
  it('brings README, LICENSE and CHANGELOG', () => {
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']));
  });

  it('brings what is built, the configuration it explains, what README leads to, and nothing else', () => {
    const own =
      /^(dist\/.+\.(js|d\.ts)|etc\/[^/]+|docs\/.+\.(md|svg)|examples\/\w+\.ts|package\.json|LICENSE|(README|README\.zh-CN|CHANGELOG|SECURITY)\.md)$/;
    expect(files.filter((file) => !own.test(file))).toEqual([]);
    expect(files.filter((file) => /test|spec/i.test(file))).toEqual([]);
  });

  it('has what its README leads to, but for the tests', async () => {
    for (const page of ['README.md', 'README.zh-CN.md']) {
      const text = await readFile(join(installed, page), 'utf8');
      const links = [...text.matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link]) => link!.replace(/\/$/, ''));
      expect(links.length).toBeGreaterThan(10);
      const isThere = (link: string): boolean => files.some((file) => file === link || file.startsWith(`${link}/`));
      expect(links.filter((link) => !link.startsWith('test/') && !isThere(link))).toEqual([]);
    }
  });

  it('has no file that refers to a source map, so that no debugger looks for files that are not there', async () => {
    const texts = files.filter((file) => file.startsWith('dist/')).map((file) => join(installed, file));
    const referring: string[] = [];
    for (const file of texts) if ((await readFile(file, 'utf8')).includes('sourceMappingURL')) referring.push(file);
    expect(referring).toEqual([]);
  });

  it('has a file for every path in its manifest', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as object;
    const paths = JSON.stringify(manifest).match(/"\.\/[^"]+\.(js|d\.ts|json)"/g) ?? [];
    expect(paths.length).toBeGreaterThan(10);
    expect(paths.filter((path) => !files.includes(path.slice(3, -1)))).toEqual([]);
  });

  it('is what installers, bundlers and Node expect of a package, as publint sees it', async () => {
    const { messages, pkg } = await publint({ pkgDir: installed, pack: false, strict: true });
    expect(messages.map((message) => formatMessage(message, pkg, { color: false }))).toEqual([]);
  });
});

const ES_IMPORTS = `
import * as all from 'mcube-lock';
import * as ioc from 'mcube-lock/ioc';
import * as lock from 'mcube-lock/lock';
import * as redis from 'mcube-lock/redis';
import * as goCache from 'mcube-lock/go-cache';
`;
const TS_REQUIRES = `
import all = require('mcube-lock');
import ioc = require('mcube-lock/ioc');
import lock = require('mcube-lock/lock');
import redis = require('mcube-lock/redis');
import goCache = require('mcube-lock/go-cache');
`;
const JS_REQUIRES = `
const all = require('mcube-lock');
const ioc = require('mcube-lock/ioc');
const lock = require('mcube-lock/lock');
const redis = require('mcube-lock/redis');
const goCache = require('mcube-lock/go-cache');
`;
const PROGRAM = `
async function main() {
  const same = all.ioc.setup === ioc.setup && all.lock.L === lock.L && all.redis.client === redis.client;
  if (!same || all.goCache.C !== goCache.C) throw new Error('an entry point gives a library of its own');
  await ioc.developmentSetup();
  const l = lock.L().new('test', '10s');
  await l.lock();
  console.log('held', l.held, typeof l.fence);
  await l.unlock();
  console.log('held', l.held, new all.NotReadyError('wait').code);
}
main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
`;
/** What the types must tell a TypeScript user: right uses pass, a wrong one is an error. */
const TYPED = `
const typed: number = lock.L().new('typed', '1s').ttl;
const outcome: Promise<string> = lock.L().run('typed', 1_000, async ({ signal, fence }) => signal.aborted + String(fence));
// @ts-expect-error a key is text
lock.L().new(42, '1s');
// @ts-expect-error redis needs a client
export const without = () => lock.open({ provider: 'redis' });
export const either = (provider: lock.ProviderName, client: lock.RedisClient) => lock.open({ provider, client });
export { outcome, typed };
`;

interface Consumer {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  /** tsc's options; a consumer without them is JavaScript. */
  readonly compile?: readonly string[];
  readonly program: string;
}

const consumers: readonly Consumer[] = [
  {
    name: 'TypeScript with module nodenext',
    files: { 'package.json': '{ "type": "module" }', 'main.ts': ES_IMPORTS + PROGRAM, 'typed.ts': ES_IMPORTS + TYPED },
    compile: ['--module', 'nodenext', 'main.ts', 'typed.ts'],
    program: 'main.js',
  },
  {
    name: 'TypeScript with moduleResolution bundler',
    files: { 'package.json': '{ "type": "module" }', 'main.ts': ES_IMPORTS + PROGRAM, 'typed.ts': ES_IMPORTS + TYPED },
    compile: ['--module', 'esnext', '--moduleResolution', 'bundler', 'main.ts', 'typed.ts'],
    program: 'main.js',
  },
  {
    name: 'CommonJS TypeScript with module nodenext',
    files: { 'main.cts': TS_REQUIRES + PROGRAM, 'typed.cts': TS_REQUIRES + TYPED },
    compile: ['--module', 'nodenext', 'main.cts', 'typed.cts'],
    program: 'main.cjs',
  },
  { name: 'JavaScript with import', files: { 'main.mjs': ES_IMPORTS + PROGRAM }, program: 'main.mjs' },
  { name: 'JavaScript with require()', files: { 'main.cjs': JS_REQUIRES + PROGRAM }, program: 'main.cjs' },
];

/** Checks the types of third parties as well: what does not fit together in our dependencies is a user's trouble too. */
const STRICT = ['--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--types', 'node', '--pretty', 'false'];

describe('a project that installed the package', () => {
  it.each(consumers)(
    'type checks, locks and ends by itself: $name',
    async ({ files, compile, program }) => {
      const { path } = await tempDir(files, home.path);
      if (compile) {
        const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
        const args = [tsc, ...STRICT, ...compile];
        const checked = await runChild(process.execPath, args, { cwd: path, limit: COMPILE_LIMIT_MS });
        expect(checked).toMatchObject({ stdout: '', code: 0 });
      }
      const ended = await runChild(process.execPath, [program], { cwd: path });
      expect(ended).toMatchObject({ stdout: 'held true bigint\nheld false ERR_NOT_READY\n', stderr: '', code: 0 });
    },
    2 * COMPILE_LIMIT_MS,
  );

  it('has the command mcube-lock', async () => {
    const command = join(home.path, 'node_modules/.bin/mcube-lock');
    const ended = await runChild(command, ['list'], { cwd: (await tempDir({}, home.path)).path });
    expect(ended).toMatchObject({ stderr: '', code: 0 });
    for (const component of ['lock', 'redis', 'go_cache']) expect(ended.stdout).toContain(component);
  });
});
