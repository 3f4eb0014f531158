import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import type { Cluster } from 'ioredis';
import { client, get } from '../../../src/config/redis/index.js';
import { Ioc } from '../../../src/ioc/index.js';
import {
  describeWithOwnRedis,
  sharedRedis,
  startCluster,
  startRedis,
  startSentinel,
  uniquePrefix,
} from '../../support/redis_server.js';
import { selfSigned } from '../../support/certificate.js';
import { tempDir } from '../../support/temp_dir.js';
import { eventually, undisturbed } from '../../support/time.js';

const all: Ioc[] = [];

/** A container with these settings of `redis`, stopped after the test at the latest. */
async function started(redis: Record<string, unknown>): Promise<Ioc> {
  const container = await new Ioc().setup({ env: { enabled: false }, values: { redis } });
  all.push(container);
  return container;
}

afterEach(async () => {
  await Promise.all(all.splice(0).map((container) => container.stop()));
});

async function wrote(container: Ioc): Promise<unknown> {
  const key = uniquePrefix();
  await client(container).set(key, 'written', 'PX', 10_000);
  return client(container).get(key);
}

async function timed(step: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await step();
  return performance.now() - start;
}

describe('the client of a server', () => {
  it('connects with its first command and is gone after stop', async () => {
    const { host, port } = sharedRedis();
    const container = await started({ endpoints: [`${host}:${port}`] });
    const redis = client(container);
    expect(redis.status).toBe('wait');
    expect(await wrote(container)).toBe('written');
    expect(redis.status).toBe('ready');
    await container.stop();
    expect(redis.status).toBe('end');
  });

  it('is used in no other database when the server refuses the one of the settings', async () => {
    const { host, port } = sharedRedis();
    const container = await started({ endpoints: [`${host}:${port}`], db: 9_999, command_timeout: '500ms' });
    const key = uniquePrefix();
    await expect(client(container).set(key, 'written', 'PX', 10_000)).rejects.toThrow();
    const plain = await started({ endpoints: [`${host}:${port}`] });
    expect(await client(plain).exists(key)).toBe(0);
  });

  it('that was never used is gone at once after stop, also where time stands still', async () => {
    const container = await started({});
    jest.useFakeTimers();
    try {
      await container.stop();
    } finally {
      jest.useRealTimers();
    }
    expect(container.ready).toBe(false);
  });

  it('gets the replies that were under way when it was stopped', async () => {
    const { host, port } = sharedRedis();
    const container = await started({ endpoints: [`${host}:${port}`] });
    await client(container).ping();
    const replies = Promise.all(Array.from({ length: 100 }, () => client(container).ping()));
    await container.stop();
    expect(new Set(await replies)).toEqual(new Set(['PONG']));
  });
});

describe('a subscriber of the diagnostics channel', () => {
  it.each([true, false])('hears of commands with trace = %p: the field switches nothing', async (trace) => {
    const { host, port } = sharedRedis();
    const container = await started({ endpoints: [`${host}:${port}`], trace });
    const heard: unknown[] = [];
    const hear = (message: unknown) => heard.push((message as { command: string }).command);
    subscribe('tracing:ioredis:command:start', hear);
    await client(container).ping();
    unsubscribe('tracing:ioredis:command:start', hear);
    expect(heard).toContain('ping');
    await container.stop();
  });
});

describe('a server that is down', () => {
  const down = ['127.0.0.1:1', '127.0.0.1:2'];
  const modes: [string, Record<string, unknown>][] = [
    ['a server', { endpoints: down.slice(0, 1) }],
    ['a Cluster', { endpoints: down }],
    ['Sentinels', { endpoints: down, masterName: 'm' }],
  ];

  // ioredis holds a timer of two seconds for each Sentinel that refused it, and has no option for that.
  afterAll(() => sleep(2_000));

  it.each(modes)('does not keep setup and stop of a client for %s', async (_, settings) => {
    await undisturbed(100, async () => {
      const container = await started(settings);
      expect(await timed(() => container.stop())).toBeLessThan(500);
    });
  });

  it.each(modes)('ends the commands to %s within command_timeout', async (_, settings) => {
    await undisturbed(100, async () => {
      const container = await started({ ...settings, commandTimeout: 300 });
      const time = await timed(() => expect(client(container).get('a')).rejects.toThrow('Command timed out'));
      expect(time).toBeGreaterThan(250);
      expect(time).toBeLessThan(1_500);
      await container.stop();
    });
  });

  it.each(modes)('is let go by stop, and with it the commands that wait for %s', async (_, settings) => {
    const print = jest.spyOn(console, 'error').mockImplementation(() => {});
    const container = await started({ ...settings, commandTimeout: '1m' });
    const waiting = expect(client(container).get('a')).rejects.toThrow(/closed|None of startup nodes/);
    await sleep(400);
    expect(await timed(() => container.stop())).toBeLessThan(2_000);
    await waiting;
    expect(print).not.toHaveBeenCalled();
    print.mockRestore();
  });

  it('that takes connections and never answers is let go when the signal aborts', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    await undisturbed(50, async () => {
      const container = await started({ endpoints: [`127.0.0.1:${port}`], commandTimeout: '1m' });
      const waiting = expect(client(container).get('a')).rejects.toThrow('closed');
      await sleep(100);
      const time = await timed(() => container.stop({ signal: AbortSignal.timeout(50) }).catch(() => {}));
      await waiting;
      expect(time).toBeLessThan(400);
    });
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
});

describeWithOwnRedis('the client of a server of its own', () => {
  it('logs in, chooses its database, and has its limits kept', async () => {
    await using server = await startRedis({ acl: 'user default off\nuser app on >sesame ~* &* +@all' });
    const login = { username: 'app', password: 'sesame' };
    const container = await started({
      endpoints: [`127.0.0.1:${server.port}`],
      ...login,
      db: 3,
      commandTimeout: 2_000,
    });
    expect(await wrote(container)).toBe('written');
    expect(await client(container).client('INFO')).toContain(' db=3 ');
    server.pause();
    await expect(client(container).ping()).rejects.toThrow('Command timed out');
    expect(await timed(() => container.stop())).toBeLessThan(10_000);
    server.resume();
  });

  it('never tells a password that was refused, and prints nothing', async () => {
    const print = jest.spyOn(console, 'error').mockImplementation(() => {});
    await using server = await startRedis({ password: 'sesame' });
    const container = await started({ endpoints: [`127.0.0.1:${server.port}`], password: 'hunter2' });
    const heard: unknown[] = [];
    client(container).on('error', (error) => heard.push(error));
    const error = await client(container)
      .get('a')
      .catch((reason: unknown) => reason);
    expect(String(error)).toContain('WRONGPASS');
    expect(heard.length).toBeGreaterThan(0);
    expect(inspect([error, heard], { depth: 9, showHidden: true })).not.toContain('hunter2');
    await container.stop();
    expect(print).not.toHaveBeenCalled();
    print.mockRestore();
  });

  it('speaks TLS, and ends at a certificate that it does not trust', async () => {
    await using server = await startRedis({ tls: true });
    await using dir = await tempDir({ 'ca.pem': server.ca! });
    const tls = { endpoints: [`localhost:${server.port}`], tls: true, commandTimeout: 3_000 };
    const trusting = await started({ ...tls, tlsCaFile: dir.file('ca.pem') });
    expect(await wrote(trusting)).toBe('written');
    const lax = await started({ ...tls, tlsVerify: false });
    expect(await wrote(lax)).toBe('written');
    const strict = await started(tls);
    await expect(wrote(strict)).rejects.toThrow();
    const otherName = await started({ ...tls, tlsCaFile: dir.file('ca.pem'), tlsServerName: 'elsewhere' });
    await expect(wrote(otherName)).rejects.toThrow();
    await using others = await tempDir({ 'ca.pem': selfSigned().cert });
    const otherCa = await started({ ...tls, tlsCaFile: others.file('ca.pem') });
    await expect(wrote(otherCa)).rejects.toThrow();
    await Promise.all([trusting, lax, strict, otherName, otherCa].map((container) => container.stop()));
  });

  it('finds the master that the Sentinels know', async () => {
    await using group = await startSentinel();
    const endpoints = group.sentinels.map(({ port }) => `127.0.0.1:${port}`);
    const container = await started({ endpoints, masterName: group.name });
    expect(await wrote(container)).toBe('written');
    expect(await group.master.cli('dbsize')).toBe('1');
    await container.stop();
  });

  it('finds the nodes of a Cluster, and tells no refused password there either', async () => {
    await using cluster = await startCluster(3, { password: 'sesame' });
    const { endpoints } = cluster;
    const container = await started({ endpoints, password: 'sesame' });
    for (let i = 0; i < 10; i++) expect(await wrote(container)).toBe('written');
    const nodes = client(container) as Cluster;
    expect(nodes.nodes('master')).toHaveLength(3);
    const byOne = await started({ endpoints: endpoints.slice(0, 1), cluster: true, password: 'sesame' });
    for (let i = 0; i < 10; i++) expect(await wrote(byOne)).toBe('written');
    expect((client(byOne) as Cluster).nodes('master')).toHaveLength(3);
    await byOne.stop();
    const other = get(container).createClient({ connectionName: 'other' }) as Cluster;
    expect(await other.ping()).toBe('PONG');
    other.disconnect();
    await container.stop();
    expect(nodes.status).toBe('end');
    const refused = await started({ endpoints, password: 'hunter2', commandTimeout: 5_000 });
    const heard: unknown[] = [];
    for (const event of ['error', 'node error']) client(refused).on(event, (error) => heard.push(error));
    await expect(client(refused).get('a')).rejects.toThrow();
    await eventually(() => expect(inspect(heard)).toContain('WRONGPASS'));
    expect(inspect(heard, { depth: 9, showHidden: true })).not.toContain('hunter2');
    await refused.stop();
  });
});
