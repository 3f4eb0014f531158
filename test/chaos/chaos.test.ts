import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { PROJECT, runChild } from '../support/child.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../support/redis_server.js';
import { eventually } from '../support/time.js';
import { broken } from './variants.js';

/** The built library; another one to look at a change apart from it. */
const DIST = process.env['CHAOS_DIST'] ?? join(PROJECT, 'dist');
const TTL = 500;

// Long runs: node test/chaos/run.js --help. The seed of a failure brings back most of it.
describeWithOwnRedis('locks under kills, stops, cuts and Go clients', () => {
  const RUN = join(PROJECT, 'test/chaos/run.js');
  const MOST = ['--seconds', '5', '--processes', '3', '--waiters', '4', '--ttl', '700', '--dist', DIST];

  it.each([7, 11])(
    'exclusion, fences, an answer for everybody, nothing left: seed %i',
    async (seed) => {
      const { code, stdout, stderr } = await runChild(process.execPath, [RUN, '--seed', String(seed), ...MOST], {
        limit: 40_000,
      });
      expect({ code, wrong: `${stdout}${stderr}`.match(/^(WRONG|\w*Error).*/gm) }).toEqual({ code: 0, wrong: null });
    },
    45_000,
  );

  it('a run without exclusion is noticed', async () => {
    const few = [
      '--variant',
      'everybody',
      '--seconds',
      '1',
      '--processes',
      '2',
      '--faults',
      '',
      '--go',
      '0',
      '--dist',
      DIST,
    ];
    const { code, stdout } = await runChild(process.execPath, [RUN, ...few], { limit: 40_000 });
    expect(stdout).toMatch(/^WRONG overlap of/m);
    expect(code).toBe(1);
  }, 45_000);
});

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
    const { early, later } = await wakeUpLate(DIST);
    expect({ early, later }).toEqual({ early: '', later: 'held true\n' });
  });

  it('would, if it counted from when it reads the message', async () => {
    const dist = broken(DIST, 'arrival', join(PROJECT, 'build'));
    try {
      expect((await wakeUpLate(dist)).early).toBe('held true\n');
    } finally {
      await rm(dist, { recursive: true });
    }
  });

  /** What a waiter says while another has the key that was given to it too long ago, and after that. */
  async function wakeUpLate(dist: string): Promise<{ early: string; later: string }> {
    const key = `late:${dist}`;
    const first = await locks.new(key, '10s').lock();
    const lib = pathToFileURL(join(dist, 'config/lock/index.js')).href;
    const work = JSON.stringify({ lib, url: server.url, key, ttl: TTL });
    const waiter = spawn(process.execPath, [join(PROJECT, 'test/chaos/waiter.js'), work], {
      stdio: ['ignore', 'pipe', 2],
    });
    const said = listen(waiter);
    try {
      await eventually(async () => expect(await server.cli('llen', `${key}:~q`)).toBe('1'));
      waiter.kill('SIGSTOP');
      await first.unlock();
      await sleep(TTL + 50);
      const second = await locks.new(key, '10s').lock();
      waiter.kill('SIGCONT');
      await sleep(400);
      const early = said.text;
      await second.unlock().catch(() => undefined);
      await said.ended;
      return { early, later: said.text };
    } finally {
      waiter.kill('SIGKILL');
    }
  }
});

function listen(child: ChildProcess): { text: string; ended: Promise<void> } {
  const said = { text: '', ended: new Promise<void>((resolve) => child.once('close', () => resolve())) };
  child.stdout!.setEncoding('utf8').on('data', (text: string) => (said.text += text));
  return said;
}
