import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join, posix } from 'node:path';
import ts from 'typescript';

/** A file of the library, named from `src/`, and what it imports. */
export interface SourceFile {
  readonly name: string;
  readonly imports: readonly Import[];
}

export interface Import {
  /** A file from `src/` for an import of our own, else a package's name or `node:…`. */
  readonly target: string;
  readonly ours: boolean;
  /** Gone after compilation: `import type`, `export type`, `import('…').Name`. */
  readonly typeOnly: boolean;
}

interface Layer {
  /** A folder, or one file; a file belongs to the longest that matches. */
  readonly at: string;
  /** Files outside of it that it may import, beside those that are open to all. Folders are entered by their doors. */
  readonly imports: readonly string[];
  /** What single files of it may import on top. */
  readonly more?: Readonly<Record<string, readonly string[]>>;
  /** Packages that are at home here and imported nowhere else. */
  readonly packages?: readonly string[];
  /** Packages of which only the types are known here. */
  readonly types?: readonly string[];
}

const OPEN_TO_ALL = ['errors.ts', 'duration.ts'];
const STORE_IMPORTS = ['config/lock/provider/store.ts', 'config/lock/errors.ts', 'config/lock/random.ts'];

const PROVIDER_TABLE_IMPORTS = [
  // Beside the door, which registers the component: a thread needs none.
  'config/redis/copy.ts',
  'config/lock/provider/redis/index.ts',
];

/** The order of imports, from left to right: a layer imports what stands above it, and that alone. */
export const LAYERS: readonly Layer[] = [
  { at: 'errors.ts', imports: [] },
  { at: 'duration.ts', imports: [] },
  { at: 'loader/', imports: [], packages: ['@iarna/toml', 'dotenv', 'fastest-levenshtein'] },
  { at: 'ioc/', imports: ['loader/index.ts'], packages: ['inversify', '@inversifyjs/core', 'reflect-metadata'] },
  { at: 'config/go_cache/', imports: ['ioc/index.ts'], packages: ['lru-cache'] },
  { at: 'config/redis/', imports: ['ioc/index.ts'], packages: ['ioredis'] },
  {
    at: 'config/lock/provider/redis/',
    imports: STORE_IMPORTS,
    types: ['ioredis'],
    // Beside the door, too: how a command is written, and an answer is read, is the business of the home of ioredis.
    more: {
      'config/lock/provider/redis/client.ts': ['config/redis/connector.ts'],
      'config/lock/provider/redis/evaluate.ts': ['config/redis/command.ts'],
      'config/lock/provider/redis/run.ts': ['config/redis/command.ts'],
    },
  },
  {
    at: 'config/lock/provider/',
    imports: STORE_IMPORTS,
    more: {
      'config/lock/provider/index.ts': PROVIDER_TABLE_IMPORTS,
    },
  },
  {
    at: 'config/lock/',
    imports: ['ioc/index.ts', 'config/lock/provider/index.ts', 'config/lock/provider/store.ts'],
    // The component redis is taken by injection, which needs its class.
    more: { 'config/lock/config.ts': ['config/redis/index.ts'] },
  },
  {
    at: 'index.ts',
    imports: ['ioc/index.ts', 'config/go_cache/index.ts', 'config/redis/index.ts', 'config/lock/index.ts'],
  },
  { at: 'cli/', imports: [], packages: ['mcube-lock'] },
];

/** What a set of files does against the order of imports, one line each. */
export function wrongImports(files: readonly SourceFile[], layers = LAYERS): string[] {
  return files.flatMap((file) => {
    const layer = layerOf(file.name, layers);
    if (!layer) return [`${file.name} is in no layer: give its folder a place in the order of imports`];
    return file.imports.flatMap((import_) => wrongImport(file.name, layer, import_, layers) ?? []);
  });
}

function wrongImport(name: string, layer: Layer, { target, ours, typeOnly }: Import, layers: readonly Layer[]) {
  if (ours) {
    const allowed = [...OPEN_TO_ALL, ...layer.imports, ...(layer.more?.[name] ?? [])];
    if (allowed.includes(target) || layerOf(target, layers) === layer) return undefined;
    return `${name} imports ${target}, which ${layer.at} may not import`;
  }
  if (target.startsWith('node:')) return undefined;
  if (builtinModules.includes(target)) return `${name} imports ${target}: write node:${target}`;
  if (layer.packages?.includes(target) || (typeOnly && layer.types?.includes(target))) return undefined;
  const home = layers.find((other) => other.packages?.includes(target))?.at ?? 'no layer: give it one';
  return `${name} imports ${target}, whose home is ${home}`;
}

function layerOf(name: string, layers: readonly Layer[]): Layer | undefined {
  const matching = layers.filter(({ at }) => (at.endsWith('/') ? name.startsWith(at) : name === at));
  return matching.sort((a, b) => b.at.length - a.at.length)[0];
}

/** Circles of files that need each other when they are loaded, each as `a → b → a`. */
export function circles(files: readonly SourceFile[]): string[] {
  const needs = new Map(files.map(({ name, imports }) => [name, imports.filter((one) => one.ours && !one.typeOnly)]));
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (name: string, path: readonly string[]): void => {
    if (path.includes(name)) found.push([...path.slice(path.indexOf(name)), name].join(' → '));
    if (path.includes(name) || done.has(name)) return;
    for (const { target } of needs.get(name) ?? []) visit(target, [...path, name]);
    done.add(name);
  };
  for (const name of needs.keys()) visit(name, []);
  return found;
}

/** Every TypeScript and JavaScript file below a folder, with its imports. */
export function readSources(folder: string): SourceFile[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => /\.[cm]?[jt]s$/.test(name) && !name.includes('node_modules/'));
  return names.sort().map((name) => parse(name, readFileSync(join(folder, name), 'utf8')));
}

/** The imports of one file. */
export function parse(name: string, text: string): SourceFile {
  const imports: Import[] = [];
  const add = (to: ts.Node | undefined, typeOnly: boolean): void => {
    if (to && ts.isStringLiteralLike(to)) imports.push({ ...resolve(name, to.text), typeOnly });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) add(node.moduleSpecifier, node.importClause?.phaseModifier === TYPE);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal, true);
    else if (ts.isExternalModuleReference(node)) add(node.expression, false);
    else if (ts.isCallExpression(node) && loads(node.expression)) add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest));
  return { name, imports };
}

const TYPE = ts.SyntaxKind.TypeKeyword;

function loads(called: ts.Expression): boolean {
  return called.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(called) && called.text === 'require');
}

function resolve(from: string, specifier: string): { target: string; ours: boolean } {
  if (specifier.startsWith('.')) {
    const path = posix.normalize(posix.join(posix.dirname(from), specifier));
    return { target: path.replace(/\.js$/, '.ts'), ours: true };
  }
  if (specifier.startsWith('node:')) return { target: specifier, ours: false };
  const parts = specifier.split('/');
  return { target: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/'), ours: false };
}
