import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from '../../../src/index.js';
import { Connector } from '../../../src/config/redis/connector.js';
import { describeWithOwnRedis, sharedRedis, startRedis, uniquePrefix } from '../../support/redis_server.js';
import { tempDir } from '../../support/temp_dir.js';

const ended: (() => unknown)[] = [];

afterEach(async () => {
  for (const end of ended.splice(0).reverse()) await end();
});

/** A server that says this, in these pieces, to whatever it is asked; and a client of it. */
async function saying(pieces: readonly (string | Buffer)[]): Promise<{ client: Redis; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay());
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    socket.once('data', () => void say(socket));
  });
  const say = async (socket: Socket): Promise<void> => {
    for (const piece of pieces) {
      socket.write(piece);
      await sleep(5);
    }
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ended.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  const quiet = { protocol: 2, enableReadyCheck: false, disableClientInfo: true } as const;
  const client = new Redis({ port, Connector, lazyConnect: true, ...quiet });
  client.on('error', () => undefined);
  ended.push(() => client.disconnect());
  return { client, sockets };
}

describe('what a server says', () => {
  it('is whole, in whatever pieces it comes', async () => {
    const answers = ['first answer', 'the second, 中文 and all', 'a third', 'the longest'.repeat(30)];
    const bytes = Buffer.from(answers.map((text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`).join(''));
    for (const size of [1, 5, 16, 64, 65, 100]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
        bytes.subarray(at * size, (at + 1) * size),
      );
      const { client } = await saying(pieces);
      expect(await Promise.all(answers.map(() => client.get('key')))).toEqual(answers);
    }
  });

  it('may be longer than what is read at once', async () => {
    const long = Array.from({ length: 40_000 }, (_, at) => `${at} ü `).join('');
    const { client } = await saying([`$${Buffer.byteLength(long)}\r\n${long}\r\n`, ':7\r\n']);
    expect(await Promise.all([client.get('key'), client.incr('key')])).toEqual([long, 7]);
  });
});

it('a connection that is called off before it is made is not made', async () => {
  const { client, sockets } = await saying([]);
  const connecting = client.connect();
  client.disconnect();
  await expect(connecting).rejects.toThrow('Connection is closed.');
  await sleep(20);
  expect(sockets.size).toBe(0);
});

it('a connection that is refused says why', async () => {
  const client = new Redis({ port: 1, Connector, lazyConnect: true, retryStrategy: () => null });
  const failed = once(client, 'error');
  client.connect().catch(() => undefined);
  expect((await failed)[0]).toMatchObject({ code: 'ECONNREFUSED' });
});

it('a client that connects in a way of its own is followed on that way', async () => {
  const { host, port } = sharedRedis();
  let made = 0;
  class Theirs extends Connector {
    constructor(options: object) {
      super({ ...options, host, port });
      made += 1;
    }
  }
  const client = new Redis({ host: 'no.such.host.invalid', Connector: Theirs as never, lazyConnect: true });
  const factory = lock.open({ provider: 'redis', client, prefix: uniquePrefix() });
  ended.push(() => factory.close());
  await (await factory.new('key', '10s').lock()).unlock();
  expect(made).toBe(2);
});

describeWithOwnRedis('a server on a socket of the file system', () => {
  it('has locks', async () => {
    await using folder = await tempDir();
    const path = folder.file('redis.sock');
    await using server = await startRedis({ args: ['--unixsocket', path] });
    const factory = lock.open({ provider: 'redis', client: new Redis({ path, lazyConnect: true }), prefix: 'p:' });
    const held = await factory.new('key', '10s').lock();
    expect(await server.cli('get', 'p:key')).toBe(held.token);
    await factory.close();
    expect(await server.cli('exists', 'p:key')).toBe('0');
  });
});
