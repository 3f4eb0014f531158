import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';
import { InvalidArgumentError, IocError } from '../../src/errors.js';
import {
  choice,
  type ConfigError,
  integer,
  readConfiguration,
  table,
  text,
  type LoadRequest,
} from '../../src/loader/index.js';
import { tempDir } from '../support/temp_dir.js';
import { load, refusal } from './given.js';

class Pool {
  @integer({ about: 'x', min: 1 }) maxSize = 3;
}

class Lock {
  @choice(['go_cache', 'redis'], { about: 'x' }) provider = 'go_cache';
  @text({ about: 'x' }) connectTimeout = '';
  @table(Pool, { about: 'x' }) pool = new Pool();
}

describe('a configuration that is wrong', () => {
  it('is told in one error with all mistakes: key, source, what was found, what is right', async () => {
    const error = await refusal(
      Lock,
      {
        files: {
          'a.toml': '[lock]\nprovidr = "redis"\n\n[lock.pool]\nmax_size = 0\n',
          '.env': 'LOCK_CONNECT_TIMEOUT=1\nLOCK_POOL_MAX_SIZE=x',
        },
        env: { LOCK_PROVIDER: 'rediss' },
        values: { lock: { pool: { maxSise: 1 } } },
      },
      'lock',
    );
    expect(error).toBeInstanceOf(IocError);
    expect(error.code).toBe('ERR_CONFIG');
    expect(error.message).toBe(
      [
        'configuration refused, 5 mistakes:',
        '- lock.provider (environment variable LOCK_PROVIDER): found "rediss", expected "go_cache" or "redis"; did you mean `redis`?',
        '- lock.pool.max_size (a.toml:5): found 0, expected a whole number, 1 or more',
        '- lock.pool.max_size (.env: LOCK_POOL_MAX_SIZE): found "x", expected a whole number, 1 or more',
        '- lock.providr (a.toml:2): found a key that no field has, expected one of provider, connect_timeout, pool; did you mean `provider`?',
        '- lock.pool.maxSise (values given in code): found a key that no field has, expected max_size; did you mean `max_size`?',
      ].join('\n'),
    );
  });

  it('names a variable that fills fields of two components, if it is given', async () => {
    class Size {
      @text({ about: 'x' }) size = '';
    }
    class PoolSize {
      @text({ about: 'x' }) poolSize = '';
    }
    class Inner {
      @table(Size, { about: 'x' }) pool = new Size();
    }
    await using dir = await tempDir({ '.env': 'STORE_POOL_SIZE=5\n' });
    const components = [
      { name: 'store', type: PoolSize },
      { name: 'store_pool', type: Size },
      { name: 'store', type: Inner },
    ];
    const bind = (request: LoadRequest) => () => readConfiguration({ cwd: dir.path, ...request }).bind(components);
    expect(bind({ env: { enabled: false } })).not.toThrow();
    expect(bind({})).toThrow(
      expect.objectContaining({
        mistakes: [
          expect.objectContaining({
            key: 'store_pool.size',
            source: '.env: STORE_POOL_SIZE',
            found: 'a variable that fills store.pool_size as well',
          }),
          expect.objectContaining({ key: 'store.pool.size' }),
        ],
      }),
    );
  });

  it('names a mistyped key of any kind', async () => {
    const suggest = async (key: string) =>
      (await refusal(Lock, { files: { 'a.toml': `[lock]\n${key} = 1` } }, 'lock')).mistakes[0]?.suggestion;
    expect(await suggest('connectTimeout')).toBe('connect_timeout');
    expect(await suggest('connect-timeout')).toBe('connect_timeout');
    expect(await suggest('conect_timeout')).toBe('connect_timeout');
    expect(await suggest('PROVIDER')).toBe('provider');
    expect(await suggest('porvider')).toBe('provider');
    expect(await suggest('pol')).toBe('pool');
    expect(await suggest('something_else')).toBeUndefined();
  });

  it('names a mistake in what is overridden too, before somebody takes the override away', async () => {
    const error = await refusal(
      Lock,
      { files: { 'a.toml': '[lock]\nprovider = 5' }, env: { LOCK_PROVIDER: 'redis' } },
      'lock',
    );
    expect(error.mistakes).toMatchObject([{ key: 'lock.provider', source: 'a.toml:2' }]);
  });

  it('refuses both spellings of one key side by side', async () => {
    const values = { lock: { connect_timeout: 'a', connectTimeout: 'b' } };
    expect((await refusal(Lock, { values }, 'lock')).message).toContain('one of the two spellings');
  });
});

describe('a section', () => {
  it.each([
    ['lock = "redis"', 'text', undefined],
    ['lock = 5', 'a number', undefined],
    ['[[lock]]', 'a list', undefined],
    ['[lcok]', 'a section that no component has', 'lock'],
    ['[locks]', 'a section that no component has', 'lock'],
    ['[lokc]', 'a section that no component has', 'lock'],
    ['[lok]', 'a section that no component has', 'lock'],
    ['[Lock]', 'a section that no component has', 'lock'],
    ['[LOCK]\nprovider = "redis"', 'a section that no component has', 'lock'],
    ['provider = "redis"', 'a key outside of all sections', undefined],
  ])('that says %s is refused', async (line, found, suggestion) => {
    const { mistakes } = await refusal(Lock, { files: { 'a.toml': `# shared\n\n${line}\n` } }, 'lock');
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toMatchObject({ source: 'a.toml:3', found });
    expect(mistakes[0]?.suggestion).toBe(suggestion);
  });

  it.each([
    '[log]',
    '[deadlock.face]',
    '[block_device]',
    'title = "x"',
    'provider = "kubernetes"',
    'connect_timeout = "5s"',
    '[mongo]\nlock = 1',
    '[constructor]\na = 1',
    '[__proto__]',
  ])('of another program is let be: %s', async (lines) => {
    expect((await load(Lock, { files: { 'a.toml': lines } }, 'lock')).provider).toBe('go_cache');
  });

  it('that is another component is no slip of this one', async () => {
    await using dir = await tempDir({ 'a.toml': '[lock]\n[locks]\n' });
    const configuration = readConfiguration({ files: ['a.toml'], cwd: dir.path });
    const components = ['lock', 'locks'].map((name) => ({ name, type: Lock }));
    expect(() => configuration.bind(components)).not.toThrow();
  });

  it('given in code has to be some component: nobody else reads it', async () => {
    const { mistakes } = await refusal(Lock, { values: { lokk: {}, other: {} } }, 'lock');
    expect(mistakes.map(({ key, suggestion }) => [key, suggestion])).toEqual([
      ['lokk', 'lock'],
      ['other', undefined],
    ]);
  });

  it('shared by two components may have the keys of both', async () => {
    class Other {
      @text({ about: 'x' }) colour = '';
    }
    await using dir = await tempDir({ 'a.toml': '[lock]\nprovider = "redis"\ncolour = "red"\n' });
    const components = [Lock, Other].map((type) => ({ name: 'lock', type }));
    const bound = readConfiguration({ files: ['a.toml'], cwd: dir.path }).bind(components);
    const [lock, other] = [new Lock(), new Other()];
    bound.fill('lock', lock);
    bound.fill('lock', other);
    expect([lock.provider, other.colour]).toEqual(['redis', 'red']);
  });

  it.each(['constructor', '__proto__', 'hasOwnProperty', 'toString'])(
    'with the key %s is refused, and nothing else happens',
    async (key) => {
      const before = Object.getOwnPropertyNames(Object).length;
      const { mistakes } = await refusal(Lock, { files: { 'a.toml': `[lock]\n${key} = 5\npool.${key} = 5` } }, 'lock');
      expect(mistakes.map((mistake) => mistake.key)).toEqual([`lock.${key}`, `lock.pool.${key}`]);
      const values = { lock: JSON.parse(`{ "${key}": 5 }`) };
      expect((await refusal(Lock, { values }, 'lock')).mistakes[0]?.key).toBe(`lock.${key}`);
      expect(Object.getOwnPropertyNames(Object)).toHaveLength(before);
    },
  );
});

describe('a file', () => {
  const read = async (request: LoadRequest, prepare = async (_dir: string) => {}) => {
    await using dir = await tempDir();
    await prepare(dir.path);
    try {
      return readConfiguration({ cwd: dir.path, ...request });
    } catch (error) {
      return error as ConfigError;
    }
  };

  it('that is missing is a mistake, unless that is allowed', async () => {
    const error = await read({ files: ['etc/none.toml'] });
    expect(error).toMatchObject({ mistakes: [{ key: '', source: 'etc/none.toml', found: 'no such file' }] });
    expect((error as ConfigError).cause).toMatchObject({ code: 'ENOENT' });
    expect(await read({ files: ['etc/none.toml'], skipMissing: true })).not.toBeInstanceOf(Error);
  });

  it('that cannot be read is a mistake, also when it may be missing', async () => {
    const directory = await read({ files: ['a.toml'], skipMissing: true }, (dir) =>
      mkdir(`${dir}/a.toml`).then(() => {}),
    );
    expect(directory).toMatchObject({ mistakes: [{ source: 'a.toml', found: 'a directory' }] });
    const loop = await read({ files: ['a.toml'], skipMissing: true }, (dir) => symlink('a.toml', `${dir}/a.toml`));
    expect(loop).toMatchObject({ mistakes: [{ found: 'a file that cannot be read (ELOOP)' }] });
    const bytes = await read({ files: ['a.toml'] }, (dir) => writeFile(`${dir}/a.toml`, new Uint8Array([0x61, 0xff])));
    expect(bytes).toMatchObject({ mistakes: [{ found: 'bytes that are not UTF-8' }] });
  });

  it('.env that is a directory is a mistake; one that is missing is none', async () => {
    const error = await read({}, (dir) => mkdir(`${dir}/.env`).then(() => {}));
    expect(error).toMatchObject({ mistakes: [{ source: '.env', found: 'a directory' }] });
    expect(await read({})).not.toBeInstanceOf(Error);
  });

  it('.env with a line that says something and gives nothing is a mistake, whose text may be a secret', async () => {
    const of = (text: string) => read({}, (dir) => writeFile(`${dir}/.env`, text));
    expect(await of('# passwords\n\nA=1\nREDIS_PASSWORD hunter2\n')).toMatchObject({
      message: 'configuration refused: .env:4: found a line without =, expected NAME=value, a comment, or nothing',
    });
    expect(await of('A="1\n2"\nB 3\nC="4"')).toMatchObject({ mistakes: [{ source: '.env:3' }] });
    expect(await of("A=\"not closed\nB 3\nC='4'")).toMatchObject({ mistakes: [{ source: '.env:2' }] });
    for (const text of ['LOCK_PROVIDER:redis', 'https://example.com'])
      expect(await of(`A=1\n${text}\n`)).toMatchObject({ mistakes: [{ source: '.env:2' }] });
    const again = 'KEY="first\nsecond"\nKEY="last"';
    const escaped = 'KEY="one\\ntwo\nthree"\nOTHER=`a\n#b\nc`';
    // In no more time than its length.
    for (const text of [again, escaped, '\n'.repeat(100_000)]) expect(await of(text)).not.toBeInstanceOf(Error);
    const right = ['# a\n  # b\nexport A = 1\nB: 2\nC=', 'KEY="first\n second\n\nthird" # why\nD=4', "E='a\nb'\r\n"];
    for (const text of right) expect(await of(text)).not.toBeInstanceOf(Error);
  });

  it('that is not .toml is a mistake', async () => {
    const error = await read({ files: ['a.yaml'] }, (dir) => writeFile(`${dir}/a.yaml`, 'a: 1'));
    expect(error).toMatchObject({ mistakes: [{ source: 'a.yaml', found: 'a file that is not .toml' }] });
  });

  it('is told with all the others that are wrong', async () => {
    const error = await read({ files: ['a.toml', 'b.toml', 'c.json'] }, (dir) => writeFile(`${dir}/b.toml`, 'a = '));
    expect((error as ConfigError).mistakes.map(({ source }) => source)).toEqual(['a.toml', 'b.toml:1:5', 'c.json']);
    expect((error as ConfigError).cause).toMatchObject({ code: 'ENOENT' });
  });

  it('may begin with a byte order mark, have Windows line ends, and be empty', async () => {
    const toml = '\ufeff[lock] # of Windows\r\nprovider = "redis"\r\n';
    expect((await load(Lock, { files: { 'a.toml': toml, 'b.toml': '' } }, 'lock')).provider).toBe('redis');
    const error = await refusal(Lock, { files: { 'a.toml': `${toml}pool = 1\r\n` } }, 'lock');
    expect(error.mistakes[0]?.source).toBe('a.toml:3');
  });
});

describe('a request', () => {
  it.each<[unknown, string]>([
    [undefined, 'request'],
    [{ files: 'a.toml' }, 'files'],
    [{ files: ['a.toml', ''] }, 'files[1]'],
    [{ files: ['a\0.toml'] }, 'files[0]'],
    [{ files: [5] }, 'files[0]'],
    [{ skipMissing: 1 }, 'skipMissing'],
    [{ env: 'APP' }, 'env'],
    [{ env: { enabled: 'no' } }, 'env.enabled'],
    [{ env: { prefix: 'A-B' } }, 'env.prefix'],
    [{ env: { file: '' } }, 'env.file'],
    [{ values: [] }, 'values'],
    [{ cwd: 5 }, 'cwd'],
  ])('that is %p is wrong use of the call', (request, argument) => {
    expect(() => readConfiguration(request as LoadRequest)).toThrow(InvalidArgumentError);
    expect(() => readConfiguration(request as LoadRequest)).toThrow(`${argument}: found`);
  });
});
