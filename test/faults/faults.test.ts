import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { PROJECT, runChild, type Ended } from '../support/child.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../support/redis_server.js';
import { eventually } from '../support/time.js';
import { PLANS } from './plans.js';
import type { Result } from './trial.js';
import { broken, VARIANTS } from './variants.js';
import { watch } from './watchdog.js';

/** The built library; another one to look at a change apart from it. */
const DIST = process.env['FAULTS_DIST'] ?? join(PROJECT, 'dist');
const TTL = 1_000;

const RUN = join(PROJECT, 'test/faults/run.js');
/** The seed of a failure brings most of it back; `npm run test:faults` takes another one each time. */
const SEED = 7;
const LIMIT = 180_000;
/** So many run side by side: they wait more than they work. */
const ABREAST = 3;
/** Of the last test to start; all of them are asked for at once. */
const LAST = 900_000;

const turn = turns(ABREAST);

describeWithOwnRedis('promises kept under faults', () => {
  it.concurrent.each(PLANS.map(({ provider, name, fault }) => [provider, name, fault] as const))(
    '%s %s: %s',
    async (provider, name) => {
      const { code, stdout, stderr } = await turn(() => faults('--provider', provider, '--only', name));
      const { violations, acquisitions } = JSON.parse(stdout || '{}') as Partial<Result>;
      const [, again = ''] = /again: (.*)/.exec(stderr) ?? [];
      expect({ violations, code, again }).toEqual({ violations: [], code: 0, again: '' });
      expect(acquisitions).toBeGreaterThan(0);
    },
    LAST,
  );
});

// The others take longer to be noticed: npm run test:faults -- --variants
describeWithOwnRedis('broken promises noticed', () => {
  it.concurrent.each(VARIANTS.filter(({ quick }) => quick).map(({ name, breaks }) => [name, breaks]))(
    '%s: %s',
    async (name) => {
      const { code, stdout } = await turn(() => faults('--variants', '--only', name));
      expect(code).toBe(0);
      const { checks } = VARIANTS.find((variant) => variant.name === name)!;
      expect(checks).toContain((JSON.parse(stdout) as { by: string }).by);
    },
    LAST,
  );
});

/** Runs the suite as a program of its own, which tells its results as JSON. */
function faults(...args: string[]): Promise<Ended> {
  return runChild(process.execPath, [RUN, '--json', '--seed', String(SEED), '--dist', DIST, ...args], { limit: LIMIT });
}

/** Lets at most so many run at once. */
function turns(abreast: number): <T>(run: () => Promise<T>) => Promise<T> {
  let free = abreast;
  const waiting: (() => void)[] = [];
  return async (run) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await run();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}

describeWithOwnRedis('a process that stands still while it is given the key', () => {
  let server: RedisServer;
  let client: Redis;
  let locks: lock.LockFactory;

  beforeAll(async () => {
    server = await startRedis();
    client = new Redis(server.port, { lazyConnect: true });
    locks = lock.open({ provider: 'redis', client });
  });
  afterAll(async () => {
    await locks.close();
    await server.stop();
  });

  it('does not take an old grant for a hold, and is served when its turn comes', async () => {
    const { early, later } = await wakeUpLate(DIST, () => sleep(400));
    expect({ early, later }).toEqual({ early: '', later: 'held true\n' });
  });

  it('would, if it counted from when it reads the message', async () => {
    const dist = broken(
      DIST,
      VARIANTS.find(({ name }) => name === 'heard')!,
      join(PROJECT, 'build'),
    );
    try {
      const hears = (said: Said): Promise<void> => eventually(() => expect(said.text).not.toBe(''));
      expect((await wakeUpLate(dist, hears)).early).toBe('held true\n');
    } finally {
      await rm(dist, { recursive: true });
    }
  });

  /** What a waiter says while another has the key that was given to it too long ago, and after that. */
  async function wakeUpLate(
    dist: string,
    listens: (said: Said) => Promise<void>,
  ): Promise<{ early: string; later: string }> {
    const key = `late:${dist}`;
    const first = await locks.new(key, '60s').lock();
    const lib = pathToFileURL(join(dist, 'config/lock/index.js')).href;
    const work = JSON.stringify({ lib, url: server.url, key, ttl: TTL });
    const waiter = spawn(process.execPath, [join(PROJECT, 'test/faults/waiter.js'), work], {
      stdio: ['ignore', 'pipe', 2],
    });
    watch(waiter);
    const said = listen(waiter);
    try {
      await eventually(async () => expect(await server.cli('llen', `${key}:~q`)).toBe('1'));
      waiter.kill('SIGSTOP');
      await first.unlock();
      await sleep(TTL + 50);
      const second = await locks.new(key, '60s').lock();
      waiter.kill('SIGCONT');
      await listens(said);
      const early = said.text;
      await second.unlock().catch(() => undefined);
      await said.ended;
      return { early, later: said.text };
    } finally {
      waiter.kill('SIGKILL');
    }
  }
});

/** What a child has said so far. */
interface Said {
  text: string;
  readonly ended: Promise<void>;
}

function listen(child: ChildProcess): Said {
  const said = { text: '', ended: new Promise<void>((resolve) => child.once('close', () => resolve())) };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (said.text += text));
  return said;
}
