import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { LockConfig } from '../../src/config/lock/index.js';
import { GoCacheConfig } from '../../src/config/go_cache/index.js';
import { RedisConfig } from '../../src/config/redis/index.js';
import { durationText } from '../../src/duration.js';
import { choice, describe as values, envName, fieldsOf, integer, table, text } from '../../src/loader/index.js';
import { refusal } from './given.js';

const FILE = 'docs/configuration.md';
/** Run with this set, to write what follows from the code into the page. */
const WRITE = process.env['WRITE_DOCS'] === '1';

describe('the page on configuration', () => {
  it.each([
    ['lock', LockConfig],
    ['redis', RedisConfig],
    ['go_cache', GoCacheConfig],
  ] as const)('has every key of %s as it is declared', (component, type) => {
    holds(component, rows(component, new type()));
  });

  it('shows refusals as they are', async () => {
    class Pool {
      @integer({ about: 'x', min: 1 }) maxSize = 10;
    }
    class Lock {
      @choice(['go_cache', 'redis'], { about: 'x' }) provider = 'go_cache';
      @text({ about: 'x' }) prefix = '';
      @table(Pool, { about: 'x' }) pool = new Pool();
    }
    const file = 'etc/application.toml';
    const request = { files: [file] };
    const several = { [file]: '# Locks\n\n[lock]\nprovidr = "redis"\nprefix = 5\npool.max_size = 0\n' };
    const { message } = await refusal(Lock, { files: several, env: { LOCK_PROVIDER: 'rediss' }, request }, 'lock');
    holds('refusal', fenced(message));
    const broken = await refusal(Lock, { files: { [file]: '[lock]\nprefix = "app\n' }, request }, 'lock');
    holds('broken', fenced(broken.message));
  });
});

/** The page has this text below the mark. */
function holds(mark: string, expected: string): void {
  const page = readFileSync(FILE, 'utf8');
  const [before, after] = page.split(`<!-- ${mark} -->\n\n`) as [string, string];
  if (WRITE)
    writeFileSync(FILE, `${before}<!-- ${mark} -->\n\n${expected}\n\n${after.replace(/^(\||```)[^]*?\n\n/, '')}`);
  else expect(after.slice(0, expected.length)).toBe(expected);
}

function rows(component: string, object: object): string {
  const defaults = values(object);
  const lines = fieldsOf(object.constructor).map(({ key, kind, bounds, about, secret }) => {
    const value =
      kind === 'duration' ? `"${spelled(defaults[key] as number | undefined)}"` : JSON.stringify(defaults[key]);
    const limits = bounds === '' ? kind : kind === 'choice' ? bounds : `${kind}, ${bounds}`;
    return `| \`${key}\` | \`${envName(component, key)}\` | ${limits}${secret ? ', secret' : ''} | \`${value}\` | ${about} |`;
  });
  return ['| key | environment | kind | default | what it does |', '|---|---|---|---|---|', ...lines].join('\n');
}

function spelled(duration: number | undefined): string {
  return duration === undefined ? 'none' : durationText(duration);
}

function fenced(message: string): string {
  return `\`\`\`\n${message}\n\`\`\``;
}
