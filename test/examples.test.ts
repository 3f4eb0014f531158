import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { PROJECT, runChild, type Ended } from './support/child.js';
import { sharedRedis, uniquePrefix } from './support/redis_server.js';
import { tempDir } from './support/temp_dir.js';

const BUILT = join(PROJECT, 'build/examples');

/** Nothing of the configuration of whoever runs the tests. */
const BARE = {
  LOCK_PROVIDER: undefined,
  LOCK_PREFIX: undefined,
  LOCK_SERVER: undefined,
  REPORT_TOPIC: undefined,
  REDIS_URL: undefined,
};

/** The environment that puts the locks on the Redis of the tests. */
function onRedis(): Record<string, string> {
  const { url, host, port } = sharedRedis();
  const { username, password } = new URL(url);
  return {
    LOCK_PROVIDER: 'redis',
    LOCK_PREFIX: uniquePrefix(),
    REDIS_ENDPOINTS: `${host}:${port}`,
    REDIS_USERNAME: decodeURIComponent(username),
    REDIS_PASSWORD: decodeURIComponent(password),
  };
}

/** Runs a compiled example as a user does, in a folder without configuration. */
async function example(name: string, env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  await using dir = await tempDir();
  return await runChild(process.execPath, [join(BUILT, `${name}.js`)], {
    cwd: dir.path,
    env: { ...BARE, ...env },
    limit: 100_000,
  });
}

/** That a program ended well, and the lines it printed. */
function lines({ code, signal, stdout, stderr, timedOut }: Ended): string[] {
  expect({ code, signal, stderr, timedOut }).toEqual({ code: 0, signal: null, stderr: '', timedOut: false });
  return stdout.trimEnd().split('\n');
}

const OBTAINED = /^contender (\d): obtained lock after (\d+\.\d) s$/;

/** Nine in their order, each a second after the one before: not sooner, and not much later. */
function expectTurns(printed: readonly string[]): void {
  const turns = printed.map((line) => OBTAINED.exec(line)?.slice(1).map(Number) ?? [line]);
  expect(turns.map(([contender]) => contender)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  turns.forEach(([, seconds], at) => {
    // The times are printed with one digit.
    expect(seconds).toBeGreaterThanOrEqual(at - 0.05);
    expect(seconds).toBeLessThan(at + 6);
  });
}

function expectTries(printed: readonly string[]): void {
  expect(printed.map((line) => line.replace(/^contender \d: /, '')).sort()).toEqual([
    ...Array.from({ length: 8 }, () => 'lock: not obtained'),
    'obtained lock',
  ]);
  expect(new Set(printed.map((line) => line.charAt('contender '.length))).size).toBe(9);
}

beforeAll(() => {
  if (!existsSync(join(BUILT, 'main_job.js'))) throw new Error('no build/examples: run `npm run examples` first');
});

describe('the examples', () => {
  it('are all built, and all run here', () => {
    const names = readdirSync(join(PROJECT, 'examples')).filter((name) => name.endsWith('.ts'));
    expect(names.sort()).toEqual([
      'hosted_service.ts',
      'lock_and_unlock.ts',
      'locks_elsewhere.ts',
      'main_job.ts',
      'nine_contenders.ts',
      'nine_tries.ts',
      'redis_lock.ts',
    ]);
  });

  it.each(['go_cache', 'redis'])(
    'hosted_service: of two at once on %s one builds the report, and is not stopped in it',
    async (provider) => {
      const [ready, ...said] = lines(
        await example('hosted_service', { ...onRedis(), LOCK_PROVIDER: provider, REPORT_TOPIC: `of ${provider}` }),
      );
      const report = `report on of ${provider}`;
      expect(ready).toBe(`${report}: ready`);
      expect(said.pop()).toBe(`${report}: closed`);
      expect(said.sort()).toEqual([`${report}: another builds it`, `${report}: built`]);
    },
  );

  it('redis_lock: the late writer is refused by its fence', async () => {
    const said = lines(await example('redis_lock', { REDIS_URL: sharedRedis().url }));
    expect(said).toEqual(['under the lock: written', 'by the holder before, late: refused']);
  });

  it('locks_elsewhere: one setting of its own moves the locks to another Redis', async () => {
    expect(lines(await example('locks_elsewhere'))).toEqual(['order:42 is ours, on go_cache']);
    const onItsOwn = await example('locks_elsewhere', { LOCK_SERVER: sharedRedis().url });
    expect(lines(onItsOwn)).toEqual(['order:42 is ours, on redis']);
  });

  it('a mistake in the configuration is told before anything runs', async () => {
    const { code, stdout, stderr } = await example('lock_and_unlock', { LOCK_PROVIDER: 'rediss' });
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('lock.provider (environment variable LOCK_PROVIDER): found "rediss"');
  });
});

// The nine contenders take more than eight seconds in any case: these run side by side, each once. What `npm start` runs
// is the three programs by themselves.
describe('npm start', () => {
  it('runs the three programs to their end, in memory and on redis', async () => {
    const environments = { go_cache: {}, redis: onRedis() };
    const runs = Object.entries(environments).map(async ([provider, env]) => {
      const said = lines(await example('main_job', env)).filter((line) => line !== '');
      expect(said).toHaveLength(3 + 2 + 9 + 9);
      expect(said[0]).toBe(`lock_and_unlock, on ${provider}: one lock, taken and given back`);
      expect(said[1]).toMatch(/^obtained lock "test", ours for ([5-9]\d\d\d|10000) ms more$/);
      expect(said[2]).toBe('unlocked');
      expect(said[3]).toMatch(new RegExp(`^nine_contenders, on ${provider}: `));
      expectTurns(said.slice(4, 13));
      expect(said[13]).toMatch(new RegExp(`^nine_tries, on ${provider}: `));
      expectTries(said.slice(14));
    });
    await Promise.all(runs);
  }, 120_000);

  it('says what to do when no Redis answers, and runs nothing', async () => {
    const env = { LOCK_PROVIDER: 'redis', REDIS_ENDPOINTS: '127.0.0.1:1', REDIS_COMMAND_TIMEOUT: '1s' };
    const { code, stdout, stderr } = await example('main_job', env);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^No Redis answers \(lock: provider redis gave no answer within \S+s \(.*ECONNREFUSED/);
    expect(stderr).toContain('"apt-get install redis-server && redis-server", or name yours in REDIS_ENDPOINTS');
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });
});
