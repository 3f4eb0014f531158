import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import dotenv from 'dotenv';
import { ioc } from 'mcube-lock';
import { sections } from '../../src/cli/sections.js';
import { envValue, tomlValue } from '../../src/cli/texts.js';
import { PROJECT } from '../support/child.js';
import { tempDir } from '../support/temp_dir.js';
import { say } from './terminal.js';

const APPLICATION_TOML = readFileSync(join(PROJECT, 'etc/application.toml'), 'utf8');
const ENV_EXAMPLE = readFileSync(join(PROJECT, '.env.example'), 'utf8');

/** The values of every component after a setup in a folder with these files. */
async function valuesWith(files: Record<string, string>, enabled: boolean): Promise<Record<string, unknown>> {
  await using dir = await tempDir(files);
  const container = await new ioc.Ioc().developmentSetup({ cwd: dir.path, env: { enabled } });
  const values: Record<string, unknown> = {};
  container.config().forEach(({ name, value }) => (values[name] = ioc.describe(value)));
  await container.stop();
  return values;
}

describe('etc/application.toml', () => {
  it('is what `mcube-lock config --toml` prints', async () => {
    expect(await say('config', '--toml')).toEqual({ code: 0, out: APPLICATION_TOML, err: '' });
  });

  it('has every key of every component, and changes nothing when it is read', async () => {
    const values = await valuesWith({ 'etc/application.toml': APPLICATION_TOML }, false);
    expect(values).toEqual(await valuesWith({}, false));
    const keys = Object.values(values).flatMap((section) => Object.keys(section as object));
    expect(APPLICATION_TOML.match(/^\w+ = /gm)).toHaveLength(keys.length);
  });

  it('begins with the word that moves the locks to Redis', async () => {
    expect(APPLICATION_TOML.match(/^\[\w+\]$/gm)?.[0]).toBe('[lock]');
    const lines = APPLICATION_TOML.split('\n');
    expect(lines.indexOf('provider = "go_cache"')).toBeGreaterThan(0);
    expect(lines.indexOf('provider = "go_cache"')).toBeLessThan(12);
    expect(lines[lines.indexOf('provider = "go_cache"') - 1]).toMatch(/^# .*"redis"/);
    const moved = APPLICATION_TOML.replace('provider = "go_cache"', 'provider = "redis"');
    expect(await valuesWith({ 'etc/application.toml': moved }, false)).toMatchObject({ lock: { provider: 'redis' } });
  });

  it('has a sentence above each key', () => {
    expect(APPLICATION_TOML.match(/^(?!#).*\n\w+ = .*/gm)).toBeNull();
  });
});

describe('.env.example', () => {
  it('is what `mcube-lock config --env` prints', async () => {
    expect(await say('config', '--env')).toEqual({ code: 0, out: ENV_EXAMPLE, err: '' });
  });

  it('copied to .env is accepted and changes nothing', async () => {
    expect(await valuesWith({ '.env': ENV_EXAMPLE }, true)).toEqual(await valuesWith({}, false));
  });

  it('names every variable as the loader reads it, with any prefix', async () => {
    const keys = sections().flatMap(({ name, keys }) => keys.map(({ key }): [string, string] => [name, key]));
    expect(Object.keys(dotenv.parse(ENV_EXAMPLE))).toEqual(keys.map(([name, key]) => ioc.envName(name, key)));
    for (const prefix of ['', 'APP', 'app', 'APP_', 'my_app__']) {
      const written = dotenv.parse((await say('--prefix', prefix, 'config', '--env')).out);
      expect(Object.keys(written)).toEqual(keys.map(([name, key]) => ioc.envName(name, key, prefix)));
    }
    expect(ioc.envName('a-b', 'c-d', 'app_')).toBe('APP_A_B_C_D');
    expect((await say('--prefix', 'APP', 'config', '--env')).out).toContain('\nAPP_LOCK_PROVIDER=go_cache\n');
  });
});

describe('mcube-lock config', () => {
  it('prints each value in effect with its source, files first to last, the environment on top', async () => {
    await using dir = await tempDir({
      'a.toml': '[redis]\nendpoints = ["a:1", "b:2"]\n\n[go_cache]\nsize = 7\n',
      'b.toml': '[lock]\nprefix = "eta\\t\\u0085"\nwait = "1m30s"\n[go_cache]\nsize = 8\n',
    });
    process.env['CLI_TEST_REDIS_PASSWORD'] = 'hunter2';
    const said = await say(
      'config',
      '--prefix',
      'CLI_TEST',
      '--file',
      dir.file('a.toml'),
      '--file',
      dir.file('b.toml'),
    );
    delete process.env['CLI_TEST_REDIS_PASSWORD'];
    expect(said).toMatchObject({ code: 0, err: '' });
    for (const line of [
      /^provider = "go_cache" +# default in code$/m,
      /^prefix = "eta\\t\\u0085" +# .*b\.toml:2$/m,
      /^wait = "1m30s" +# .*b\.toml:3$/m,
      /^endpoints = \["a:1", "b:2"\] +# .*a\.toml:2$/m,
      /^password = "\*{3}" +# environment variable CLI_TEST_REDIS_PASSWORD$/m,
      /^size = 8 +# .*b\.toml:5$/m,
    ]) {
      expect(said.out).toMatch(line);
    }
    expect(said.out).not.toContain('hunter2');
  });

  it('ends with 78 and every mistake when the configuration is wrong, and leaves nothing set up', async () => {
    await using dir = await tempDir({ 'a.toml': '[lock]\nprovder = "redis"\n[go_cache]\nsize = 0\n' });
    const said = await say('config', '--file', dir.file('a.toml'));
    expect(said).toMatchObject({ code: 78, out: '' });
    expect(said.err).toContain('did you mean `provider`?');
    expect(said.err).toContain('a.toml:4');
    expect(ioc.defaultIoc.ready).toBe(false);
    expect((await say('config', '--file', dir.file('missing.toml'))).code).toBe(78);
  });

  it.each([
    [['--toml', '--env'], 'one of them'],
    [['--toml', '--file', 'a.toml'], '--file'],
    [['lock'], '"lock"'],
    [['--prefix', '1'], '--prefix'],
    [['--file'], '--file'],
    [['--json'], '--json'],
    [['--', 'lock'], '--'],
  ])('refuses %j with 64', async (args, part) => {
    const said = await say('config', ...args);
    expect(said).toMatchObject({ code: 64, out: '' });
    expect(said.err).toContain(part);
  });
});

describe('values as text', () => {
  it.each([
    ['a "b"\\\n\u007f', 'text', '"a \\"b\\"\\\\\\n\\u007f"'],
    [5_000, 'duration', '"5s"'],
    [undefined, 'duration', '"none"'],
    [[1, 2], 'list of integer', '[1, 2]'],
    [[60_000], 'list of duration', '["1m0s"]'],
    [true, 'flag', 'true'],
  ])('TOML writes %j, a %s, as %s', (value, kind, text) => {
    expect(tomlValue(value, kind)).toBe(text);
  });

  it.each(['', 'plain', 'a b', '# no comment', "it's", 'say "hi"', `both ' and "`, ' edge ', '$HOME'])(
    '.env gives %j back',
    (value) => {
      expect(dotenv.parse(`A=${envValue(value, 'text')}\nB=1`)).toEqual({ A: value, B: '1' });
    },
  );
});
