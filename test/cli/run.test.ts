import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { ioc } from 'mcube-lock';
import { COMMANDS } from '../../src/cli/commands.js';
import { ending } from '../../src/cli/exit.js';
import { PROJECT, runChild } from '../support/child.js';
import { tempDir } from '../support/temp_dir.js';
import { PROGRAM, program, say } from './terminal.js';

describe('the command line', () => {
  it('tells its commands and options, for all and for each', async () => {
    const general = await say('--help');
    expect(general).toMatchObject({ code: 0, err: '' });
    for (const [name, { usage, options }] of Object.entries(COMMANDS)) {
      expect(general.out).toContain(`\n  ${usage}`);
      const own = await say(name, '--help');
      expect(own).toMatchObject({ code: 0, err: '' });
      for (const option of [...Object.keys(options), 'file', 'prefix', 'help'])
        expect(own.out).toContain(`--${option}`);
      expect(await say('-h', name)).toEqual(own);
    }
  });

  it('fits its help into 120 columns', async () => {
    const texts = await Promise.all([[], ...Object.keys(COMMANDS).map((name) => [name])].map((a) => say(...a, '-h')));
    expect(texts.flatMap(({ out }) => out.split('\n')).filter((line) => line.length > 120)).toEqual([]);
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as { version: string };
    expect(await say('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });

  it.each([
    [[], 'no command given'],
    [['lok'], '"lok"'],
    [['constructor'], '"constructor"'],
    [['--bogus'], '--bogus'],
    [['list', '--version'], '--version'],
    [['list', 'redis'], '"redis"'],
    [['list', '--', 'x'], '--'],
  ])('refuses %j with 64 and a way on', async (args, part) => {
    const said = await say(...args);
    expect(said).toMatchObject({ code: 64, out: '' });
    expect(said.err).toContain(part);
    expect(said.err).toContain('mcube-lock --help');
  });

  it('gives the stack of an error that nobody foresaw, and 70', () => {
    expect(ending(new TypeError('odd'))).toMatchObject({ code: 70, text: expect.stringContaining('run.test') });
    expect(ending('odd')).toEqual({ code: 70, text: 'odd' });
  });
});

describe('mcube-lock list', () => {
  it('prints the components as the dependency tree, and stops them', async () => {
    const said = await say('list');
    expect(said).toMatchObject({ code: 0, err: '' });
    expect(said.out).toMatch(/^config\n/);
    expect(said.out).toMatch(/ lock v1 .*\n│ {2}└─ config\.redis v1 /);
    expect(said.out).toMatch(/ go_cache v1 /);
    expect(ioc.defaultIoc.ready).toBe(false);
  });
});

describe('the built program', () => {
  it('reads etc/application.toml and .env of its working folder, and ends by itself', async () => {
    await using dir = await tempDir({
      'etc/application.toml': '[lock]\nprovider = "redis"\nprefix = "p:"\n',
      '.env': 'REDIS_ENDPOINTS=127.0.0.1:1\n',
    });
    const ended = await program(['config'], { cwd: dir.path });
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '', timedOut: false });
    expect(ended.stdout).toMatch(/^prefix = "p:" +# etc\/application\.toml:3$/m);
    expect(ended.stdout).toMatch(/^endpoints = \["127.0.0.1:1"\] +# \.env: REDIS_ENDPOINTS$/m);
  });

  it('begins with the line that lets a shell run it', async () => {
    expect(readFileSync(join(PROJECT, 'dist/cli/main.js'), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('says in a line that it could not write, and is content with a reader that has seen enough', async () => {
    const shell = (line: string) =>
      runChild('sh', ['-c', line, process.execPath, PROGRAM], { cwd: join(PROJECT, 'test') });
    const full = await shell('"$0" "$1" config >/dev/full');
    expect(full).toMatchObject({
      code: 74,
      stderr: expect.stringMatching(/^mcube-lock: could not write .*ENOSPC.*\n$/),
    });
    expect(await shell('"$0" "$1" config | true')).toMatchObject({ code: 0, stderr: '' });
  });

  it('tells wrong usage on stderr alone', async () => {
    expect(await program([])).toMatchObject({ code: 64, stdout: '', stderr: expect.stringContaining('no command') });
  });
});
