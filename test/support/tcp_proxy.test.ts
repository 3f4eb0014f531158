import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TcpProxy } from './tcp_proxy.js';
import { eventually } from './time.js';

/** One end of a connection, and what it has seen. */
interface End {
  readonly socket: Socket;
  text: string;
  closed: boolean;
}

describe('TcpProxy', () => {
  const servers: Server[] = [];
  const ends: End[] = [];
  let proxy: TcpProxy;
  let seen: End[];

  beforeEach(async () => {
    seen = [];
    proxy = new TcpProxy(await serve('echo'));
    await proxy.listen();
  });
  afterEach(async () => {
    await proxy.close();
    for (const { socket } of ends.splice(0)) socket.destroy();
    await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  });

  it('passes bytes both ways', async () => {
    const client = await open();
    client.socket.write('one');
    await eventually(() => expect(client.text).toBe('echo:one'));
  });

  it('delays each direction by itself, in order', async () => {
    proxy.delay({ replies: 150 });
    const client = await open();
    const started = performance.now();
    client.socket.write('one');
    await eventually(() => expect(seen[0]?.text).toBe('one'));
    proxy.delay({ replies: 0 });
    client.socket.write('two');
    await eventually(() => expect(client.text).toBe('echo:oneecho:two'));
    expect(performance.now() - started).toBeGreaterThanOrEqual(149);
  });

  it('delivers what a connection that ended had sent, late', async () => {
    const before = await open();
    proxy.hold();
    before.socket.write('late');
    await sleep(50);
    const deliver = proxy.strand();
    await eventually(() => expect(before.closed).toBe(true));
    const after = await open();
    after.socket.write('new');
    await eventually(() => expect(after.text).toBe('echo:new'));
    expect(seen.map(({ text }) => text)).toEqual(['', 'new']);
    deliver();
    await eventually(() => expect(seen.map(({ text }) => text)).toEqual(['late', 'new']));
  });

  it('as a black hole, takes connections and tells nothing until it lets go', async () => {
    const before = await open();
    proxy.hold();
    const during = await open();
    before.socket.write('a');
    during.socket.write('b');
    await sleep(50);
    expect([before.text, during.text]).toEqual(['', '']);
    expect(seen.map(({ text }) => text).join('')).toBe('');
    proxy.release();
    await eventually(() => expect([before.text, during.text]).toEqual(['echo:a', 'echo:b']));
  });

  it('swallows replies on the connections that are open, and on no later one', async () => {
    const client = await open();
    await eventually(() => expect(seen).toHaveLength(1));
    proxy.swallow();
    client.socket.write('one');
    await eventually(() => expect(seen[0]!.text).toBe('one'));
    const later = await open();
    later.socket.write('two');
    await eventually(() => expect(later.text).toBe('echo:two'));
    expect(client).toMatchObject({ text: '', closed: false });
  });

  it('cuts a connection after the server has done what it was asked, without the reply', async () => {
    const client = await open();
    await eventually(() => expect(seen).toHaveLength(1));
    proxy.cutAtReply();
    client.socket.write('one');
    await eventually(() => expect(client.closed).toBe(true));
    expect(seen[0]!.text).toBe('one');
    expect(client.text).toBe('');
  });

  it('cuts both sides', async () => {
    const client = await open();
    await eventually(() => expect(seen).toHaveLength(1));
    proxy.cut();
    await eventually(() => expect([client.closed, seen[0]!.closed]).toEqual([true, true]));
    expect(proxy.links).toBe(0);
  });

  it.each(['client', 'server'] as const)('halves: the %s is cut, the other is never told', async (side) => {
    const client = await open();
    await eventually(() => expect(seen).toHaveLength(1));
    const [cut, left] = side === 'client' ? [client, seen[0]!] : [seen[0]!, client];
    proxy.halve(side);
    await eventually(() => expect(cut.closed).toBe(true));
    left.socket.write('anybody?');
    await sleep(50);
    expect(left).toMatchObject({ closed: false });
    expect(cut.text).toBe('');
  });

  it('tells each side when the other has ended', async () => {
    const client = await open();
    await eventually(() => expect(seen).toHaveLength(1));
    client.socket.destroy();
    await eventually(() => expect(seen[0]!.closed).toBe(true));
  });

  it('leads new connections to another server', async () => {
    const old = await open();
    old.socket.write('1');
    await eventually(() => expect(old.text).toBe('echo:1'));
    proxy.lead(await serve('other'));
    const fresh = await open();
    fresh.socket.write('2');
    old.socket.write('3');
    await eventually(() => expect([old.text, fresh.text]).toEqual(['echo:1echo:3', 'other:2']));
  });

  /** A server that answers with its name and what it was told; its port. */
  async function serve(name: string): Promise<number> {
    const server = createServer((socket) => {
      const end = follow(socket);
      seen.push(end);
      socket.on('data', (chunk) => socket.write(`${name}:${chunk.toString()}`));
    });
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as { port: number }).port;
  }

  async function open(): Promise<End> {
    const socket = connect(proxy.port, '127.0.0.1');
    const end = follow(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
    return end;
  }

  function follow(socket: Socket): End {
    const end: End = { socket, text: '', closed: false };
    ends.push(end);
    socket.setEncoding('utf8').on('data', (text: string) => (end.text += text));
    socket.on('error', () => undefined);
    socket.once('close', () => (end.closed = true));
    return end;
  }
});
