import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis, type RedisOptions } from 'ioredis';
import { lock } from 'mcube-lock';
import { selfSigned } from '../../../support/certificate.js';
import { runScript } from '../../../support/child.js';
import { isToldAtOnce, PATIENT } from '../../../support/hand_over.js';
import {
  describeWithOwnRedis,
  sharedRedis,
  startRedis,
  uniquePrefix,
  type RedisServer,
} from '../../../support/redis_server.js';
import { eventually, undisturbed } from '../../../support/time.js';

const factories: lock.LockFactory[] = [];
const open = (options: RedisOptions, prefix = uniquePrefix()): lock.LockFactory => {
  const client = new Redis({ lazyConnect: true, ...options } as object);
  const factory = lock.open({ provider: 'redis', client, prefix, commandTimeout: '3s', ...PATIENT });
  factories.push(factory);
  return factory;
};
afterAll(async () => {
  await Promise.all(factories.map((factory) => factory.close(500).catch(() => undefined)));
});

/** A release is told from one process to the other when their clients have these options. */
function tells(options: RedisOptions): Promise<void> {
  const prefix = uniquePrefix();
  return isToldAtOnce(open(options, prefix), open(options, prefix));
}

describe("whatever the application's client is set to", () => {
  const server = () => ({ host: sharedRedis().host, port: sharedRedis().port });

  it.each([
    ['protocol 2', { protocol: 2 }],
    ['enableAutoPipelining', { enableAutoPipelining: true }],
    ['stringNumbers', { stringNumbers: true }],
    ['no autoResendUnfulfilledCommands', { autoResendUnfulfilledCommands: false }],
    ['a commandTimeout and a socketTimeout', { commandTimeout: 20, socketTimeout: 20 }],
    ['no offline queue', { enableOfflineQueue: false }],
    ['no ready check', { enableReadyCheck: false }],
    ['replies as in RESP3', { replyMapping: 'resp3' }],
    ['a name', { connectionName: 'app' }],
    ['reads from replicas', { readOnly: true }],
    ['one retry', { maxRetriesPerRequest: 0, retryStrategy: null }],
  ] as [string, RedisOptions][])('%s: locks are handed over at once', async (_, options) => {
    await tells({ ...server(), ...options });
  });

  it.each([
    ['keyPrefix', 'app:', ''],
    ['prefix', '', 'locks:'],
    ['keyPrefix and prefix', 'app:', 'locks:'],
    ['keyPrefix with braces', '{app}:', '}{'],
  ])('%s: the key is at exactly keyPrefix + prefix + key, in its database', async (_, keyPrefix, prefix) => {
    const unique = uniquePrefix();
    const db = 9;
    const factory = open({ ...server(), keyPrefix: keyPrefix + unique, db }, prefix);
    const held = await factory.new('k', '10s').lock();
    const plain = new Redis({ ...server(), db });
    expect(await plain.get(`${keyPrefix}${unique}${prefix}k`)).toBe(held.token);
    expect(await plain.exists(`${keyPrefix}${unique}mlk:fence`)).toBe(1);
    await plain.select(0);
    expect(await plain.exists(`${keyPrefix}${unique}${prefix}k`)).toBe(0);
    await plain.quit();
    await held.unlock();
    await tells({ ...server(), keyPrefix: keyPrefix + unique, db });
  });

  it('a client that is subscribed, blocked or closed does not matter', async () => {
    const app = new Redis({ ...server(), protocol: 2 });
    const factory = lock.open({ provider: 'redis', client: app, prefix: uniquePrefix() });
    factories.push(factory);
    await app.subscribe('anything');
    await (await factory.new('k', '1s').lock()).unlock();
    app.disconnect();
    await (await factory.new('k', '1s').lock()).unlock();
  });
});

describeWithOwnRedis('a server that speaks RESP2 alone', () => {
  let server: RedisServer;
  const options = () => ({ host: server.host, port: server.port });

  beforeAll(async () => {
    server = await startRedis({ args: ['--rename-command', 'HELLO', ''] });
  });
  afterEach(async () => {
    await Promise.all(factories.splice(0).map((factory) => factory.close(5_000)));
  });
  afterAll(() => server.stop());

  it('a second connection listens: hand-overs are told, and close ends both', async () => {
    await tells(options());
    expect(await connections('pubsub')).toBe(1);
    await Promise.all(factories.splice(0).map((factory) => factory.close()));
    await eventually(async () => expect([await connections('pubsub'), await connections('normal')]).toEqual([0, 1]));
  });

  it('a listening connection that is cut is opened again, and who stood in line is served', async () => {
    const prefix = uniquePrefix();
    const [ours, theirs] = [open(options(), prefix), open(options(), prefix)];
    await undisturbed(100, async () => {
      const held = await ours.new('k', '60s').lock();
      const waiting = theirs.new('k', '60s').lock({ wait: '20s' });
      await eventually(async () => expect(await connections('pubsub')).toBe(1));
      await sleep(150);
      await server.cli('client', 'kill', 'type', 'pubsub');
      await eventually(async () => expect(await connections('pubsub')).toBe(1));
      await sleep(100);
      const released = performance.now();
      await held.unlock();
      await (await waiting).unlock();
      // Its own question comes after 750 ms at the earliest.
      expect(performance.now() - released).toBeLessThan(500);
    });
  });

  it('nothing keeps an idle process alive', async () => {
    const script = `
      import { Redis } from 'ioredis';
      import { lock } from 'mcube-lock';
      const client = new Redis({ port: ${server.port}, host: '${server.host}', lazyConnect: true });
      const [one, other] = [1, 2].map(() => lock.open({ provider: 'redis', client, prefix: '${uniquePrefix()}' }));
      const held = await one.new('k', '60s').lock();
      const waiting = other.new('k', '60s').lock();
      await new Promise((resolve) => setTimeout(resolve, 100));
      await held.unlock();
      await (await waiting).unlock();
      const last = performance.now();
      process.once('exit', () => console.log(Math.round(performance.now() - last)));
    `;
    const ended = await runScript(script);
    expect(ended).toMatchObject({ code: 0, timedOut: false, stderr: '' });
    expect(Number(ended.stdout)).toBeLessThan(1_800);
  });

  const connections = async (type: string): Promise<number> =>
    (await server.cli('client', 'list', 'type', type)).split('\n').filter(Boolean).length;
});

describeWithOwnRedis('TLS', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis({ tls: true });
  });
  afterEach(async () => {
    await Promise.all(factories.splice(0).map((factory) => factory.close(5_000)));
  });
  afterAll(() => server.stop());
  const to = (host: string, tls: RedisOptions['tls']): RedisOptions => ({ host, port: server.port, tls: tls! });

  it('with an authority of its own is verified', async () => {
    await tells(to(server.host, { ca: server.ca! }));
    await tells(to('localhost', { ca: server.ca!, servername: 'localhost' }));
  });

  it.each([
    ['an authority that nobody named', {}, /self-signed certificate/],
    ['the certificate of another authority', { ca: selfSigned().cert }, /self-signed certificate/],
    ['another name than the one expected', { ca: 'its own', servername: 'elsewhere' }, /does not match.*elsewhere/],
  ])('%s ends the connection, and the error says so', async (_, tls, why) => {
    const stranger = open(to(server.host, 'ca' in tls && tls.ca === 'its own' ? { ...tls, ca: server.ca! } : tls));
    await expect(stranger.new('k', '1s').lock({ wait: '300ms' })).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
    const error = await stranger
      .new('k', '1s')
      .tryLock()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_LOCK_PROVIDER_UNREACHABLE', message: expect.stringMatching(why) });
  });

  it('is not verified only where the application says so itself', async () => {
    await tells(to(server.host, { rejectUnauthorized: false }));
  });
});
