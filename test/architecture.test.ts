import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { circles, parse, readSources, wrongImports, type SourceFile } from './support/architecture.js';
import { PROJECT } from './support/child.js';

interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

const sources = readSources(join(PROJECT, 'src'));
const manifest = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as Manifest;

/** Packages that files import, without what Node brings. */
function packagesOf(files: readonly SourceFile[]): string[] {
  const outside = files.flatMap(({ imports }) => imports.filter(({ ours, target }) => !ours && !/^node:/.test(target)));
  return [...new Set(outside.map(({ target }) => target))].sort();
}

describe('the library', () => {
  it('imports from right to left alone, enters folders by their doors, and keeps each package at its home', () => {
    expect(wrongImports(sources)).toEqual([]);
  });

  it('has no circle of files that need each other to load', () => {
    expect(circles(sources)).toEqual([]);
  });

  it('declares every package that it imports, and imports every one that it declares', () => {
    const declared = Object.keys(manifest.dependencies ?? {});
    const imported = packagesOf(sources).filter((name) => name !== 'mcube-lock');
    expect(imported.filter((name) => !declared.includes(name))).toEqual([]);
    expect(declared.filter((name) => !imported.includes(name))).toEqual([]);
  });
});

describe('what stands around the library', () => {
  const folders = ['test', 'examples', 'bench', 'scripts'].filter((folder) => existsSync(join(PROJECT, folder)));

  it.each(folders)('%s/ imports declared packages alone', (folder) => {
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies, 'mcube-lock': '' });
    const imported = packagesOf(readSources(join(PROJECT, folder)));
    expect(imported.filter((name) => !declared.includes(name))).toEqual([]);
  });

  it.each(folders.filter((folder) => /examples|bench/.test(folder)))('%s/ uses the library by its name', (folder) => {
    const inside = readSources(join(PROJECT, folder)).flatMap(({ name, imports }) =>
      imports.filter(({ target }) => /(^|\/)(src|dist)\//.test(target)).map(({ target }) => `${name} → ${target}`),
    );
    expect(inside).toEqual([]);
  });
});

describe('wrongImports', () => {
  const wrong = (name: string, text: string): string[] => wrongImports([parse(name, text)]);

  it.each([
    ['an import against the order', 'loader/fill.ts', `import { Ioc } from '../ioc/index.js';`],
    ['a type against the order', 'ioc/store.ts', `import type { Lock } from '../config/lock/index.js';`],
    ['a folder entered by a window', 'ioc/load.ts', `export { toml } from '../loader/toml.js';`],
    ['a component that knows another', 'config/go_cache/config.ts', `import '../redis/index.js';`],
    ['a lock file that knows a component', 'config/lock/lock.ts', `import { C } from '../go_cache/index.js';`],
    ['a lock file that knows a provider', 'config/lock/queue.ts', `import './provider/redis/index.js';`],
    ['a provider that knows the lock', 'config/lock/provider/go_cache.ts', `import { Lock } from '../lock.js';`],
    ['a provider that knows another', 'config/lock/provider/redis/store.ts', `import '../go_cache.js';`],
    ['base errors that need something', 'errors.ts', `import { setup } from './ioc/index.js';`],
    ['a package away from home', 'ioc/load.ts', `import dotenv from 'dotenv';`],
    [
      'a client that did not arrive as an argument',
      'config/lock/provider/redis/store.ts',
      `import Redis from 'ioredis';`,
    ],
    ['a package without a home', 'loader/toml.ts', `import { parse } from 'left-pad/toml';`],
    ['an import while running', 'loader/toml.ts', `const load = () => import('inversify');`],
    ['a require', 'loader/toml.ts', `const { Redis } = require('ioredis');`],
    ['a type named in passing', 'loader/toml.ts', `type Client = import('ioredis').Redis;`],
    ["one of Node's modules without its prefix", 'loader/env.ts', `import fs from 'fs';`],
    ['a command that goes behind the library', 'cli/list.ts', `import { setup } from '../ioc/index.js';`],
    ['a folder without a place', 'utils/string.ts', ``],
  ])('finds %s', (_what, name, text) => {
    expect(wrong(name, text)).toHaveLength(1);
    expect(wrong(name, text)[0]).toContain(name);
  });

  it.each([
    ['its own folder', 'ioc/load.ts', `import { Store } from './store.js';`],
    ['the base errors and durations', 'config/lock/provider/redis/store.ts', `import '../../../../duration.js';`],
    ['the layer to the left by its door', 'ioc/load.ts', `import { fill } from '../loader/index.js';`],
    ['a package at home', 'config/redis/config.ts', `import { Redis } from 'ioredis';`],
    ['the types of a client', 'config/lock/provider/redis/store.ts', `import type { Redis } from 'ioredis';`],
    ['what Node brings', 'loader/env.ts', `import { readFile } from 'node:fs/promises';`],
    [
      'the copy of a client, in the table of providers',
      'config/lock/provider/index.ts',
      `import '../../redis/copy.js';`,
    ],
    ['the library by name, in a command', 'cli/list.ts', `import { ioc } from 'mcube-lock/ioc';`],
    ['text that looks like an import', 'loader/env.ts', `const text = "import 'ioredis'"; // import 'ioredis'`],
  ])('lets a file import %s', (_what, name, text) => {
    expect(wrong(name, text)).toEqual([]);
  });
});

describe('circles', () => {
  it('finds files that need each other, and lets types go round', () => {
    const a = parse('a.ts', `import { b } from './b.js';`);
    const c = parse('c.ts', `export * from './a.js';`);
    expect(circles([a, parse('b.ts', `import { c } from './c.js';`), c])).toEqual(['a.ts → b.ts → c.ts → a.ts']);
    expect(circles([a, parse('b.ts', `import type { c } from './c.js';`), c])).toEqual([]);
  });
});
