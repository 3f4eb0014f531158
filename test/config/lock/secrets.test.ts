import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { Redis } from 'ioredis';
import { ioc, lock } from 'mcube-lock';
import { randomToken } from '../../../src/config/lock/lease.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../support/redis_server.js';
import { eventually } from '../../support/time.js';

const PASSWORD = 'hunter2-of-redis';
const THEIR_TOKEN = 'token-of-another-holder';
const SECRETS = [PASSWORD, THEIR_TOKEN];

/** All that a program can print of something. */
function shown(value: unknown): string {
  const deep = { depth: Infinity, showHidden: true, getters: true, maxArrayLength: null, maxStringLength: null };
  const texts = [inspect(value, deep), inspect(value), String(value)];
  if (value instanceof Error) texts.push(value.message, value.stack ?? '', shownCause(value));
  try {
    texts.push(JSON.stringify(value) ?? '');
  } catch {
    // Round in itself: nothing is printed.
  }
  return texts.join('\n');
}

function shownCause({ cause }: Error): string {
  return cause === undefined ? '' : shown(cause);
}

describeWithOwnRedis('no password and no token of another is shown', () => {
  let server: RedisServer;
  let theirs: Redis;
  const container = new ioc.Ioc();
  const printed: string[] = [];

  beforeAll(async () => {
    server = await startRedis({ password: PASSWORD });
    theirs = new Redis({ host: server.host, port: server.port, password: PASSWORD });
    for (const method of ['log', 'info', 'warn', 'error', 'debug'] as const) {
      jest.spyOn(console, method).mockImplementation((...args) => void printed.push(args.map(shown).join(' ')));
    }
    jest.spyOn(process, 'emitWarning').mockImplementation((...args) => void printed.push(args.map(shown).join(' ')));
  });
  afterEach(async () => {
    await container.stop();
    expect(printed.filter((text) => SECRETS.some((secret) => text.includes(secret)))).toEqual([]);
  });
  afterAll(async () => {
    jest.restoreAllMocks();
    theirs.disconnect();
    await server.stop();
  });

  const setup = async (redis: Record<string, unknown> = {}): Promise<lock.LockFactory> => {
    const values = {
      endpoints: [`${server.host}:${server.port}`],
      password: PASSWORD,
      commandTimeout: '3s',
      ...redis,
    };
    await container.setup({
      values: { lock: { provider: 'redis' }, redis: values },
      env: { enabled: false },
      force: true,
    });
    return lock.L(container);
  };
  const openOwn = (password = PASSWORD): lock.LockFactory => {
    const client = new Redis({ host: server.host, port: server.port, password, lazyConnect: true });
    return lock.open({ provider: 'redis', client, commandTimeout: '3s' });
  };
  it('as this test would notice: a client of the application does show its own', () => {
    expect(shown({ theirs })).toContain(PASSWORD);
  });

  const hidden = (value: unknown): void => {
    const text = shown(value);
    for (const secret of SECRETS) expect(text).not.toContain(secret);
  };

  it.each([
    ['the component', setup],
    ['open', () => Promise.resolve(openOwn())],
  ])('by factories and locks of %s: before, while they wait, held and afterwards', async (_, make) => {
    const factory = await make();
    const locker = factory.new('k', '60s', { metadata: 'mine' });
    hidden([factory, locker]);
    await theirs.set('k', THEIR_TOKEN, 'PX', 60_000);
    const waiting = locker.lock();
    const tried = await factory
      .new('k', '60s')
      .tryLock()
      .catch((error: unknown) => error);
    expect(tried).toMatchObject({ code: 'ERR_LOCK_NOT_OBTAINED' });
    hidden([factory, locker, waiting, tried]);
    await theirs.del('k');
    await waiting;
    hidden([factory, locker, locker.signal]);
    const { signal } = locker;
    await theirs.set('k', THEIR_TOKEN, 'PX', 60_000);
    for (const call of [() => locker.refresh(), () => locker.unlock()]) {
      const error = await call().catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'ERR_LOCK_NOT_HELD' });
      hidden(error);
    }
    hidden([signal, signal.reason, locker, factory]);
    await theirs.del('k');
    await factory.close();
  });

  it('by the container and its components, set up, used and stopped', async () => {
    const factory = await setup();
    await (await factory.new('k', '60s').lock()).unlock();
    const components = () => [container, lock.get(container), container.config().get('redis'), container.config()];
    components().forEach(hidden);
    const kept = components();
    await container.stop();
    kept.forEach(hidden);
  });

  it('by the errors of a refused password, a refused command and a server that is gone', async () => {
    const error = (promise: Promise<unknown>): Promise<unknown> => promise.catch((thrown: unknown) => thrown);
    const stranger = openOwn(`${PASSWORD}-wrong`);
    const refused = await error(stranger.new('k', '1s').tryLock());
    expect(refused).toMatchObject({ code: 'ERR_LOCK_PROVIDER' });
    const factory = openOwn();
    await theirs.hset('hash', 'field', THEIR_TOKEN);
    const wrongType = await error(factory.new('hash', '1s').tryLock());
    expect(wrongType).toMatchObject({ code: 'ERR_LOCK_PROVIDER' });
    server.pause();
    const silent = await error(factory.new('k', '1s').tryLock());
    expect(silent).toMatchObject({ code: 'ERR_LOCK_PROVIDER_UNREACHABLE' });
    server.resume();
    [refused, wrongType, silent, stranger, factory].forEach(hidden);
    await Promise.allSettled([stranger.close(500), factory.close(500)]);
  });

  it('by the warning of a routine whose lock was taken', async () => {
    const factory = openOwn();
    const before = printed.length;
    await factory.run('taken', '60s', async () => theirs.set('taken', THEIR_TOKEN, 'PX', 60_000));
    await eventually(() => expect(printed.length).toBeGreaterThan(before));
    expect(printed.at(-1)).toContain('was not given back');
    await factory.close();
  });
});

describe('a random token', () => {
  it('is 22 characters of base64url whose bits are all used, told apart from those of Go, and never the same', () => {
    const tokens = Array.from({ length: 50_000 }, randomToken);
    expect(new Set(tokens).size).toBe(tokens.length);
    for (const token of tokens) if (!/^[\w-]{21}(?![AQgw])[\w-]$/.test(token)) throw new Error(`found ${token}`);
    const bytes = tokens.map((token) => Buffer.from(token, 'base64url'));
    for (let bit = 0; bit < 128; bit += 1) {
      const ones = bytes.filter((one) => (one[bit >> 3]! >> (bit & 7)) & 1).length;
      // Half of them, within nine standard deviations.
      expect(Math.abs(ones - tokens.length / 2)).toBeLessThan(1_000);
    }
  });
});
