import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Ended } from '../support/child.js';
import { sharedRedis, uniquePrefix } from '../support/redis_server.js';
import { tempDir } from '../support/temp_dir.js';
import { onRedis, program, PROGRAM, say } from './terminal.js';

const exit = (code: number) => ['--', process.execPath, '-e', `process.exit(${code})`];

/** What a process tells on one line of stderr. */
function line(text: string): string {
  expect(text).toMatch(/^mcube-lock: [^\n]+\n$/);
  return text;
}

describe('mcube-lock lock, on go_cache', () => {
  // Whatever a developer's own .env says.
  beforeAll(() => {
    process.env['LOCK_PROVIDER'] = 'go_cache';
  });
  afterAll(() => {
    delete process.env['LOCK_PROVIDER'];
  });

  it("gives the command's exit code, and says that nobody else is kept out", async () => {
    for (const code of [0, 3, 255]) {
      const said = await say('lock', 'key', ...exit(code));
      expect(said).toMatchObject({ code, out: '' });
      expect(line(said.err)).toContain('LOCK_PROVIDER=redis');
    }
  });

  it('tells a signal that ended the command as shells do', async () => {
    expect(await say('lock', 'key', '--', 'sh', '-c', 'kill -9 $$')).toMatchObject({ code: 137 });
  });

  it('tells a command that is not there, or cannot be run, as shells do', async () => {
    await using dir = await tempDir({ 'text.txt': 'text' });
    const none = await say('lock', 'key', '--', dir.file('none'));
    expect(none).toMatchObject({ code: 127, err: expect.stringContaining('no such command') });
    const text = await say('lock', 'key', '--', dir.file('text.txt'));
    expect(text).toMatchObject({ code: 126, err: expect.stringContaining('cannot be run') });
    const under = await say('lock', 'key', '--', dir.file('text.txt/under'));
    expect(under).toMatchObject({ code: 126, err: expect.stringContaining('ENOTDIR') });
  });

  it('takes the lock once more after each end, and leaves no listener', async () => {
    const before = process.listenerCount('SIGTERM');
    for (let i = 0; i < 3; i++) expect(await say('lock', 'key', '--try', ...exit(i))).toMatchObject({ code: i });
    expect(process.listenerCount('SIGTERM')).toBe(before);
  });

  it.each([
    [[], 'no key'],
    [['key'], 'no command'],
    [['key', '--'], 'no command'],
    [['key', '--', ''], 'no command'],
    [['key', 'other', '--', 'true'], '"other"'],
    [['', '--', 'true'], 'key'],
    [['key', '--ttl', '10', '--', 'true'], '--ttl: found "10"'],
    [['key', '--ttl', '0s', '--', 'true'], '--ttl'],
    [['key', '--ttl', '-1s', '--', 'true'], '--ttl'],
    [['key', '--ttl', '1.5ms', '--', 'true'], '--ttl'],
    [['key', '--wait', 'soon', '--', 'true'], '--wait'],
    [['key', '--wait', '1s', '--try', '--', 'true'], '--try'],
    [['key', '--try=yes', '--', 'true'], '--try'],
    [['key', '--metadata', '--', 'true'], '--metadata'],
    [['key', '--force', '--', 'true'], '--force'],
    [['k', '--tryy', '--', 'true'], "'--tryy'; expected one of --ttl, --wait, --try,"],
    [['k', '--try-it', '--', 'true'], "'--try-it'; expected one of --ttl,"],
    [['k', '--lock.prefix=x', '--', 'true'], "'--lock.prefix'; expected one of --ttl,"],
    [['k', '--ttl'], 'argument missing; expected --ttl duration'],
    [['k', '--ttl', '-5s', '--', 'true'], 'is ambiguous; expected --ttl duration'],
    [['k', '--try=yes', '--', 'true'], 'does not take an argument; expected --try alone'],
  ])('refuses %j with 64', async (args, part) => {
    const said = await say('lock', ...args);
    expect(said).toMatchObject({ code: 64, out: '' });
    expect(said.err).toContain(part);
  });

  it('refuses metadata that nobody means with 64', async () => {
    const said = await say('lock', 'key', '--metadata', 'x'.repeat(65_537), ...exit(0));
    expect(said).toMatchObject({ code: 64, err: expect.stringContaining('metadata') });
  });
});

describe('mcube-lock lock, on redis', () => {
  const prefix = uniquePrefix();
  let client: Redis;
  let key: string;
  let count = 0;

  beforeAll(() => {
    client = new Redis(sharedRedis().url);
  });
  beforeEach(() => {
    key = `${prefix}${++count}`;
  });
  afterAll(async () => {
    await client.quit();
  });

  /** Runs `sh -c script` under the lock; `onReady` is called once with the program's id when the script prints. */
  async function locked(options: string[], script: string, onReady?: (pid: number) => unknown): Promise<Ended> {
    let [ready, seen]: [unknown, boolean] = [undefined, false];
    const onOutput = (pid: number) => {
      if (seen) return;
      seen = true;
      ready = onReady?.(pid);
    };
    const ended = await program(['lock', key, ...options, '--', 'sh', '-c', script], { env: onRedis(), onOutput });
    await ready;
    return ended;
  }

  it('refuses with 64 a ttl that is too short for redis, as it was written', async () => {
    const ended = await locked(['--ttl', '5ms'], 'echo ran');
    expect(ended).toMatchObject({ code: 64, stdout: '' });
    expect(ended.stderr).toContain('--ttl: found "5ms", expected a duration from 10ms');
    expect(ended.stderr).toContain('--help');
  });

  it('holds the key while the command runs, and frees it afterwards', async () => {
    let value: string | null = null;
    let ttl = 0;
    const script = 'echo "$MCUBE_LOCK_KEY $MCUBE_LOCK_FENCE"; sleep 0.5; exit 5';
    const ended = await locked(['--ttl', '9s', '--metadata', 'nightly'], script, async () => {
      value = await client.get(key);
      ttl = await client.pttl(key);
    });
    expect(ended).toMatchObject({ code: 5, signal: null, stderr: '', stdout: expect.stringMatching(/ [1-9]\d*\n$/) });
    expect(ended.stdout.startsWith(`${key} `)).toBe(true);
    expect(value).toMatch(/.+nightly$/);
    expect(ttl).toBeGreaterThan(5_000);
    expect(ttl).toBeLessThanOrEqual(9_000);
    expect(await client.exists(key)).toBe(0);
  });

  it('keeps the lease alive while the command takes longer than the ttl', async () => {
    expect(await locked(['--ttl', '2s'], 'sleep 3')).toMatchObject({ code: 0, stderr: '' });
  });

  it('gives a fence that grows with each holder', async () => {
    const script = 'echo $MCUBE_LOCK_FENCE';
    const [first, second] = [await locked([], script), await locked([], script)];
    expect(BigInt(second.stdout.trim())).toBeGreaterThan(BigInt(first.stdout.trim()));
  });

  it.each([[['--try']], [['--wait', '1s']], [['--wait', '0s']]])(
    'ends with 75 and one line when another holds the key and it may wait no longer: %j',
    async (options) => {
      await client.set(key, 'another', 'PX', 20_000);
      const ended = await locked(options, 'echo ran');
      expect(ended).toMatchObject({ code: 75, stdout: '' });
      expect(line(ended.stderr)).toContain('not obtained');
      expect(await client.get(key)).toBe('another');
    },
  );

  it('waits until the key is free', async () => {
    await client.set(key, 'another', 'PX', 600);
    const ended = await locked([], 'echo ran');
    expect(ended).toMatchObject({ code: 0, stdout: 'ran\n', stderr: '' });
    expect(ended.ms).toBeGreaterThan(500);
  });

  it('lets one command run at a time', async () => {
    await using dir = await tempDir();
    const script = `mkdir ${dir.file('room')} && sleep 0.05 && rmdir ${dir.file('room')}`;
    const all = await Promise.all(Array.from({ length: 5 }, () => locked(['--wait', '35s'], script)));
    expect(all.map(({ code, stderr }) => `${code} ${stderr}`)).toEqual(Array(5).fill('0 '));
  });

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const)(
    'passes %s on, and frees the key',
    async (signal) => {
      const script = `trap 'echo heard; exit 7' ${signal.slice(3)}; echo ready; while :; do sleep 0.02; done`;
      const ended = await locked([], script, (pid) => process.kill(pid, signal));
      expect(ended).toMatchObject({ code: 7, stdout: 'ready\nheard\n', stderr: '' });
      expect(await client.exists(key)).toBe(0);
    },
  );

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('ends its wait on %s with %i, and does not take the lock later', async (signal, code) => {
    await client.set(key, 'another', 'PX', 20_000);
    const args = [PROGRAM, 'lock', key, '--', 'echo', 'ran'];
    const monitor = await client.monitor();
    const child = spawn(process.execPath, args, { env: { ...process.env, ...onRedis() }, stdio: 'ignore' });
    // Once it has asked for the key it waits; told once, for a second signal would end it at once.
    let told = false;
    monitor.on('monitor', (_time: string, asked: string[]) => {
      if (!told && asked.includes(key)) told = child.kill(signal);
    });
    expect(await once(child, 'exit')).toEqual([code, null]);
    monitor.disconnect();
    await client.del(key);
    await sleep(100);
    expect(await client.exists(key)).toBe(0);
  });

  it.each([
    ['deleted', () => client.del(key), null],
    ['taken by another', () => client.set(key, 'another', 'PX', 20_000), 'another'],
  ])('ends the command and itself with 70 when its lock is %s, and leaves the key alone', async (_how, lose, left) => {
    const script = `trap 'echo ended; exit 0' TERM; echo ready; while :; do sleep 0.02; done`;
    const ended = await locked(['--ttl', '600ms'], script, lose);
    expect(ended).toMatchObject({ code: 70, stdout: 'ready\nended\n', timedOut: false });
    expect(line(ended.stderr)).toContain('lost');
    expect(await client.get(key)).toBe(left);
  });

  it('ends with 70 when the lock of a command that has ended turns out to be lost', async () => {
    const started = performance.now();
    const ended = await locked([], 'echo ready; sleep 0.4; exit 5', () => client.del(key));
    expect(ended).toMatchObject({ code: 70, stdout: 'ready\n' });
    // There is nobody to whom the ten seconds after SIGTERM could be of use.
    expect(performance.now() - started).toBeLessThan(8_000);
    expect(line(ended.stderr)).toContain('lost');
  });

  it("leaves the command's input as it is, whatever is passed on", async () => {
    const script = `trap 'read word; echo "got $word"; exit 0' INT; echo ready; while :; do sleep 0.02; done`;
    const child = spawn(process.execPath, [PROGRAM, 'lock', key, '--', 'sh', '-c', script], {
      env: { ...process.env, ...onRedis() },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (text: Buffer) => (said += text.toString()));
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    await sleep(300);
    child.stdin.write('word\n');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(said).toBe('ready\ngot word\n');
  });

  it('gives its exit code though nobody reads what it says', async () => {
    await client.set(key, 'another', 'PX', 20_000);
    const args = [PROGRAM, 'lock', key, '--try', '--', 'true'];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...onRedis() },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.destroy();
    expect(await once(child, 'close')).toEqual([75, null]);
  });

  it('ends with 69 and says how to get a Redis when none answers', async () => {
    const env = { ...onRedis(), REDIS_ENDPOINTS: '127.0.0.1:1', REDIS_COMMAND_TIMEOUT: '1s' };
    for (const options of [[], ['--try'], ['--wait', '5s']]) {
      const ended = await program(['lock', key, ...options, ...exit(0)], { env });
      expect(ended).toMatchObject({ code: 69, stdout: '', timedOut: false });
      expect(line(ended.stderr)).toMatch(/127\.0\.0\.1:1.*apt-get install redis-server.*REDIS_ENDPOINTS/);
    }
  });

  it('ends with 69 and the words of a Redis that refuses', async () => {
    const env = { ...onRedis(), REDIS_USERNAME: 'nobody', REDIS_PASSWORD: 'hunter2' };
    const ended = await program(['lock', key, '--wait', '3s', ...exit(0)], { env });
    expect(ended).toMatchObject({ code: 69, stdout: '', timedOut: false });
    expect(line(ended.stderr)).toContain('WRONGPASS');
    expect(ended.stderr).not.toContain('hunter2');
  });

  it('ends with 78 when the configuration is wrong, before anything runs', async () => {
    const ended = await program(['lock', key, ...exit(0)], { env: { LOCK_PROVIDER: 'rediss' } });
    expect(ended).toMatchObject({ code: 78, stdout: '', stderr: expect.stringContaining('did you mean `redis`?') });
  });
});
