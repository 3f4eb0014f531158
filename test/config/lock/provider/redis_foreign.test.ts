import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import type { RedisClient } from '../../../../src/config/lock/provider/redis/client.js';
import { ForeignWatch } from '../../../../src/config/lock/provider/redis/foreign.js';
import { runScript } from '../../../support/child.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../../support/redis_server.js';
import { replyError } from '../../../support/scripted_redis.js';
import { TcpProxy } from '../../../support/tcp_proxy.js';
import { eventually } from '../../../support/time.js';

const GO_TOKEN = 'GoGoGoGoGoGoGoGoGoGoGA';
/** Milliseconds within which a release that is told is noticed on a busy machine; asking again takes 750 at least. */
const SOON = 400;

describeWithOwnRedis('the watch over a holder that is none of ours', () => {
  let server: RedisServer;
  let proxy: TcpProxy;
  let client: Redis;
  let locks: lock.LockFactory;

  beforeEach(async () => {
    server = await startRedis();
    proxy = new TcpProxy(server.port);
    await proxy.listen();
    client = new Redis({ host: server.host, port: server.port, lazyConnect: true });
    // The connections of the watch alone speak RESP2 here; they go through the proxy.
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (options) => duplicate({ ...options, port: options?.protocol === 2 ? proxy.port : server.port });
    locks = lock.open({ provider: 'redis', client, commandTimeout: '600ms' });
    await server.cli('set', 'go', GO_TOKEN, 'PX', '60000');
  });
  afterEach(async () => {
    await locks.close(200).catch(() => undefined);
    client.disconnect();
    await proxy.close();
    await server.stop();
  });

  /** Connections to the server, but for that of redis-cli itself. */
  const connections = async (): Promise<string[]> =>
    (await server.cli('client', 'list')).split('\n').filter((each) => !each.includes('cmd=client'));
  /** Those that read under tracking, and whose notices somebody hears. */
  const tracking = async (): Promise<number> => {
    const all = await connections();
    const hears = (each: string): boolean => all.some((ear) => ear.startsWith(`id=${/redir=(\d+)/.exec(each)![1]} `));
    return all.filter((each) => / flags=\S*t/.test(each) && hears(each)).length;
  };
  const watched = (): Promise<void> => eventually(async () => expect(await tracking()).toBe(1));
  /** Milliseconds from the release of the Go service to the end of the wait. */
  const noticed = async (wait: Promise<lock.Lock>): Promise<number> => {
    const released = performance.now();
    await server.cli('del', 'go');
    const held = await wait;
    const ms = performance.now() - released;
    await held.unlock();
    return ms;
  };

  it.each(['ear', 'eye'])('is opened again when its %s is lost, and a release is noticed as before', async (which) => {
    const wait = locks.new('go', '60s').lock();
    await watched();
    const eye = (await connections()).find((each) => / flags=\S*t/.test(each))!;
    const id = which === 'eye' ? /^id=(\d+)/.exec(eye)![1]! : /redir=(\d+)/.exec(eye)![1]!;
    await server.cli('client', 'kill', 'id', id);
    await eventually(async () =>
      expect((await connections()).some((each) => each.startsWith(`id=${id} `))).toBe(false),
    );
    await watched();
    expect(await noticed(wait)).toBeLessThan(SOON);
  });

  it('a pair whose server is gone without a word is given up, and another one is opened', async () => {
    const wait = locks.new('go', '60s').lock();
    await watched();
    proxy.halve('server');
    await eventually(async () => expect(await tracking()).toBe(0));
    // Nobody tells; it is found out by the next look, which stays without an answer.
    await eventually(async () => expect(await tracking()).toBe(1), 5_000);
    await sleep(50);
    expect(await noticed(wait)).toBeLessThan(SOON);
    await eventually(() => expect(proxy.links).toBe(2));
  });

  it('of a waiter goes on when the one before it, who was about to watch, has given up', async () => {
    const controller = new AbortController();
    // Long enough to give up meanwhile, and to ask.
    proxy.delay({ replies: 12 });
    const first = locks.new('go', '60s').lock({ signal: controller.signal });
    await eventually(() => expect(proxy.links).toBe(2));
    const second = locks.new('go', '60s').lock();
    controller.abort(new Error('gave up'));
    await expect(first).rejects.toThrow('gave up');
    await watched();
    await sleep(150);
    expect(await noticed(second)).toBeLessThan(SOON);
  });

  it.each([
    ['are being made', false],
    ['are there', true],
  ])('leaves no connection when its factory is closed while they %s', async (_, made) => {
    if (!made) proxy.hold();
    const wait = locks.new('go', '60s').lock();
    const outcome = expect(wait).rejects.toMatchObject({ code: 'ERR_NOT_READY' });
    await eventually(() => expect(proxy.links).toBe(2));
    if (made) await watched();
    await locks.close();
    await outcome;
    await eventually(async () => expect([proxy.links, await connections()]).toEqual([0, []]), 1_000);
    // What was on its way arrives: nothing is opened for it.
    proxy.release();
    await sleep(50);
    expect([proxy.links, await connections()]).toEqual([0, []]);
  });

  it('that cannot be opened holds nobody up: waiters ask for themselves, and it is tried again once in a second', async () => {
    // Nobody listens there.
    proxy.lead(1);
    let opened = 0;
    const duplicate = client.duplicate.bind(client);
    client.duplicate = (options) => {
      if (options?.protocol === 2) opened += 1;
      return duplicate(options!);
    };
    const wait = locks.new('go', '60s').lock();
    await sleep(900);
    expect(opened).toBe(2);
    // It asks every 100 ms.
    expect(await noticed(wait)).toBeLessThan(SOON);
  });

  it('keeps no process alive that has nothing else to do, not even while its connections are being made', async () => {
    proxy.hold();
    const running = runScript(
      `import { Redis } from 'ioredis';
       import { lock } from 'mcube-lock';
       const client = new Redis({ port: ${server.port}, lazyConnect: true });
       const duplicate = client.duplicate.bind(client);
       client.duplicate = (options) => duplicate({ ...options, port: options.protocol === 2 ? ${proxy.port} : ${server.port} });
       const locks = lock.open({ provider: 'redis', client });
       await locks.new('go', '60s').lock({ wait: '2s' }).catch(({ code }) => console.log(code));
       const done = performance.now();
       // A pair that is not there after 5 s is given up.
       process.once('exit', () => console.log(performance.now() - done < 1_500 ? 'at once' : 'late'));`,
    );
    // They are being made while it waits, or there is nothing to see.
    await eventually(() => expect(proxy.links).toBe(2), 8_000);
    const { code, timedOut, stdout, stderr } = await running;
    expect({ code, timedOut, stdout, stderr }).toEqual({
      code: 0,
      timedOut: false,
      stdout: 'ERR_LOCK_NOT_OBTAINED\nat once\n',
      stderr: '',
    });
  });
});

/** A connection of a watch; the test answers what it asks, in any order. */
class Connection extends EventEmitter {
  readonly options = { db: 0 };
  status = 'wait';
  readonly stream = { ref: () => undefined, unref: () => undefined, destroy: () => undefined };
  /** What waits for an answer. */
  readonly open: { readonly command: string; answer(reply: unknown): void }[] = [];

  connect(): Promise<unknown> {
    this.status = 'connecting';
    return this.#ask('connect');
  }
  call(...words: string[]): Promise<unknown> {
    return this.#ask(words.slice(0, 2).join(' '));
  }
  client(word: string): Promise<unknown> {
    return this.#ask(`CLIENT ${word}`);
  }
  subscribe(): Promise<unknown> {
    return this.#ask('SUBSCRIBE');
  }
  pttl(key: string): Promise<unknown> {
    return this.#ask(`PTTL ${key}`);
  }
  /** Answers at once, until the test says otherwise. */
  ping = (): Promise<unknown> => Promise.resolve('PONG');
  /** Its end is told when the test says so, by `end`. */
  disconnect(): void {
    this.status = 'disconnecting';
  }
  end(): void {
    this.status = 'end';
    this.emit('end');
  }

  /** Answers what is asked, as soon as it is. */
  async answer(command: string, reply: unknown): Promise<void> {
    const at = await eventually(() => {
      const found = this.open.findIndex((each) => each.command === command);
      if (found < 0) throw new Error(`not asked: ${command}, but ${this.open.map((each) => each.command).join()}`);
      return found;
    }, 500);
    this.open.splice(at, 1)[0]!.answer(reply);
    await sleep(0);
  }

  #ask(command: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const answer = (reply: unknown): void => (reply instanceof Error ? reject(reply) : resolve(reply));
      this.open.push({ command, answer });
    });
  }
}

describe('the connections of the watch, in every order of events', () => {
  let made: Connection[];
  let watch: ForeignWatch;

  beforeEach(() => {
    made = [];
    const source = {
      isCluster: false,
      options: {},
      duplicate: () => {
        const copy = new Connection();
        made.push(copy);
        return copy;
      },
    };
    watch = new ForeignWatch(source as unknown as RedisClient, 5_000);
  });
  afterEach(() => watch.close());

  const connected = async (ear: Connection, eye: Connection): Promise<void> => {
    for (const each of [ear, eye]) {
      each.status = 'ready';
      await each.answer('connect', undefined);
    }
    await ear.answer('CLIENT ID', 7);
    await eye.answer('CLIENT TRACKING', 'OK');
    await ear.answer('SUBSCRIBE', 1);
  };
  const nth = (pair: number): [Connection, Connection] => [made[2 * pair]!, made[2 * pair + 1]!];
  const gone = (): Error => new Error('Connection is closed.');
  /** Watches, and counts how often it was told. */
  const watching = (key: string): { told: number; readonly free: () => void; readonly done: Promise<boolean> } => {
    const one = { told: 0, free: () => void (one.told += 1), done: undefined as unknown as Promise<boolean> };
    one.done = watch.watch(key, one.free);
    return one;
  };

  it('a look that fails late, on a pair that is lost, concerns nobody who is watched by the next one', async () => {
    const first = watching('a');
    const [ear, eye] = nth(0);
    await connected(ear, eye);
    await eye.answer('PTTL a', 60_000);
    expect(await first.done).toBe(true);
    // It breaks with a look on its way: everybody is told, and watches anew.
    const second = watching('b');
    await sleep(0);
    ear.end();
    expect([first.told, second.told]).toEqual([1, 1]);
    const [again, other] = [watching('a'), watching('b')];
    expect(made).toHaveLength(4);
    await eye.answer('PTTL b', gone());
    expect(await second.done).toBe(false);
    eye.end();
    const [ear2, eye2] = nth(1);
    await connected(ear2, eye2);
    await eye2.answer('PTTL a', 60_000);
    await eye2.answer('PTTL b', 60_000);
    expect(await Promise.all([again.done, other.done])).toEqual([true, true]);
    expect([again.told, other.told]).toEqual([0, 0]);
    expect(made).toHaveLength(4);
    // What the lost one still says is of no interest.
    ear.emit('messageBuffer', Buffer.from(''), [Buffer.from('a')]);
    await sleep(0);
    expect([eye, eye2].flatMap(({ open }) => open)).toEqual([]);
    // And the next one is heard.
    ear2.emit('messageBuffer', Buffer.from(''), [Buffer.from('b')]);
    await eye2.answer('PTTL b', -2);
    expect([again.told, other.told]).toEqual([0, 1]);
  });

  it('a pair that is ready only after it was given up is not believed', async () => {
    const first = watching('a');
    const [ear, eye] = nth(0);
    for (const each of [ear, eye]) {
      each.status = 'ready';
      await each.answer('connect', undefined);
    }
    await ear.answer('CLIENT ID', 7);
    await eye.answer('CLIENT TRACKING', 'OK');
    // Tracked, but whom Redis would tell of it is gone.
    eye.end();
    expect(first.told).toBe(1);
    expect(ear.status).toBe('disconnecting');
    await ear.answer('SUBSCRIBE', 1);
    await eye.answer('PTTL a', gone());
    expect(await first.done).toBe(false);
    ear.end();
    expect(first.told).toBe(1);
  });

  it('closed while the connections are being made, it ends them at once and tells nobody', async () => {
    const one = watching('a');
    watch.close();
    expect(made.map(({ status }) => status)).toEqual(['disconnecting', 'disconnecting']);
    for (const each of made) await each.answer('connect', gone());
    expect(await one.done).toBe(false);
    expect(await watching('b').done).toBe(false);
    expect(one.told).toBe(0);
    expect(made).toHaveLength(2);
  });

  it('a key is free while it is looked at, or the database is flushed: it is told once', async () => {
    const [first, second] = [watching('a'), watching('b')];
    const [ear, eye] = nth(0);
    await connected(ear, eye);
    await eye.answer('PTTL a', -2);
    await eye.answer('PTTL b', 60_000);
    expect(await Promise.all([first.done, second.done])).toEqual([true, true]);
    expect([first.told, second.told]).toEqual([1, 0]);
    ear.emit('messageBuffer', Buffer.from(''), null);
    await eye.answer('PTTL b', -2);
    ear.emit('messageBuffer', Buffer.from(''), null);
    await sleep(0);
    expect([first.told, second.told]).toEqual([1, 1]);
    expect(eye.open).toEqual([]);
  });

  it('who gives up, or fails, takes nothing from who watches the key since then', async () => {
    const first = watching('a');
    const [ear, eye] = nth(0);
    await connected(ear, eye);
    const second = watching('a');
    await sleep(0);
    watch.unwatch('a', first.free);
    await eye.answer('PTTL a', 60_000);
    await eye.answer('PTTL a', 60_000);
    expect(await Promise.all([first.done, second.done])).toEqual([true, true]);
    ear.emit('messageBuffer', Buffer.from(''), [Buffer.from('a')]);
    await eye.answer('PTTL a', -2);
    expect([first.told, second.told]).toEqual([0, 1]);
  });

  it.each([
    ['BUSY Redis is busy running a script.', true],
    ['ERR The client ID you want redirect to does not exist', true],
    ["NOPERM this user has no permissions to run the 'client|tracking' command", false],
    ["ERR unknown command 'CLIENT'", false],
  ])('what is refused with "%s" is asked for again: %s', async (message, again) => {
    const first = watching('a');
    const [ear, eye] = nth(0);
    for (const each of [ear, eye]) {
      each.status = 'ready';
      await each.answer('connect', undefined);
    }
    await ear.answer('CLIENT ID', 7);
    await eye.answer('CLIENT TRACKING', replyError(message));
    expect(await first.done).toBe(false);
    // Not at once: it would be so with every question of a waiter.
    expect(await watching('a').done).toBe(false);
    expect(made).toHaveLength(2);
    await sleep(1_050);
    void watching('a');
    expect(made).toHaveLength(again ? 4 : 2);
  });

  it.each([
    ['an answer that does not come', false],
    ['an ear that says nothing any more', true],
  ])('%s ends the pair, and everybody asks for himself', async (_, isDeaf) => {
    watch = new ForeignWatch(
      {
        isCluster: false,
        options: {},
        duplicate: () => made[made.push(new Connection()) - 1],
      } as unknown as RedisClient,
      100,
    );
    const first = watching('a');
    const [ear, eye] = nth(0);
    await connected(ear, eye);
    await eye.answer('PTTL a', 60_000);
    if (isDeaf) ear.ping = () => new Promise(() => undefined);
    const second = watching('b');
    if (isDeaf) await eye.answer('PTTL b', 60_000);
    expect(await second.done).toBe(false);
    expect(first.told).toBe(1);
    expect([ear.status, eye.status]).toEqual(['disconnecting', 'disconnecting']);
    // It worked: the next one is opened at once.
    void watching('a');
    expect(made).toHaveLength(4);
  });
});
