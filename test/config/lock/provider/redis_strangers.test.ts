import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { newWid, readMessage } from '../../../../src/config/lock/provider/redis/entry.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../../support/redis_server.js';
import { eventually } from '../../../support/time.js';

interface Message {
  readonly channel: string;
  readonly text: string;
}

// A server of its own: the stranger hears everything that is told there.
describeWithOwnRedis('a stranger who may use the channels of Redis, but not its keys', () => {
  let server: RedisServer;
  let redis: Redis;
  let ear: Redis;
  let ours: lock.LockFactory;
  let theirs: lock.LockFactory;
  let heard: Message[];

  beforeEach(async () => {
    server = await startRedis();
    const { host, port } = server;
    // Who is cut off hears nothing from then on.
    [redis, ear] = [new Redis({ host, port }), new Redis({ host, port, autoResubscribe: false })];
    ours = lock.open({ provider: 'redis', client: redis });
    theirs = lock.open({ provider: 'redis', client: redis });
    heard = [];
    ear.on('pmessage', (_, channel: string, text: string) => text !== '' && heard.push({ channel, text }));
    await ear.psubscribe('mlk:*');
  });
  afterEach(async () => {
    await Promise.allSettled([ours.close(500), theirs.close(500)]);
    redis.disconnect();
    ear.disconnect();
    await server.stop();
  });

  const inLine = async (key: string, count = 1): Promise<string[]> => {
    await eventually(async () => expect(await redis.llen(`${key}:~q`)).toBe(count));
    return (await redis.lindex(`${key}:~q`, -1))!.split('|');
  };
  const microseconds = (): number => Date.now() * 1_000;
  /** Everything that was published so far has been read. */
  const settled = async (): Promise<void> => {
    await (await ours.new('settled', '10s').lock()).unlock();
    await sleep(5);
  };
  /** The message by which this process was given a key: sent again, or changed, as a stranger could. */
  const granted = async (): Promise<Message> => {
    await eventually(() => expect(heard).toHaveLength(1));
    return heard[0]!;
  };

  it('grants nothing by a message of his own, whatever he writes', async () => {
    const held = await theirs.new('k', '60s').lock();
    const other = await theirs.new('other', '60s').lock();
    const [waiter, second] = [ours.new('k', '60s'), ours.new('other', '60s')];
    const waits = [waiter.lock(), second.lock()];
    const [channel, wid] = (await inLine('k')) as [string, string];
    await inLine('other');
    const [now, fence] = [microseconds(), microseconds() + 1];
    const names = [
      ...Array.from({ length: 130 }, (_, n) => String(n)),
      ...[-1, 1e15, 2 ** 53, Number.MAX_VALUE, Infinity, NaN].map(String),
      ...['', ' ', '%', '*', '.', '..', '\0', '\n', '__proto__', 'constructor', '中文', '🔒', '\ud800', 'null', 'true'],
      ...[wid.slice(1), wid.slice(0, -1), `${wid}A`, wid.toLowerCase() + wid, ` ${wid}`, `${wid}\n`, `${wid}\0`],
      ...[wid.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')), [...wid].reverse().join('')],
      ...Array.from({ length: 20 }, newWid),
      'A'.repeat(1 << 20),
    ];
    const messages = names.map((name) => `${name}|${fence}|${now}`);
    for (const rest of [
      '',
      '|',
      `|${fence}`,
      `|${fence}|`,
      `|--1|${now}`,
      `|+1|${now}`,
      `|1e9|${now}`,
      `|${fence}|-1`,
      `|x|x`,
    ]) {
      messages.push(wid + rest);
    }
    messages.push(`${wid}|${'9'.repeat(1 << 20)}|${now}`, `${wid}|${fence}|${now}|`, `${wid}|${fence}|${now}\n`);
    for (const text of messages) await redis.publish(channel, text);
    await redis.publish(`${channel}x`, `${wid}|${fence}|${now}`);
    await settled();
    expect([waiter.held, second.held]).toEqual([false, false]);
    expect(await redis.get('k')).toBe(held.token);
    await Promise.all([held.unlock(), other.unlock()]);
    for (const wait of waits) await (await wait).unlock();
    expect(await redis.exists('k', 'k:~q', 'other', 'other:~q')).toBe(0);
  });

  it('may send the message of a grant again: it is one hold, and no later wait is served by it', async () => {
    const held = await theirs.new('k', '60s').lock();
    const waiting = ours.new('k', '60s').lock();
    await inLine('k');
    await held.unlock();
    const { channel, text } = await granted();
    const mine = await waiting;
    const fence = mine.fence;
    for (let again = 0; again < 3; again += 1) await redis.publish(channel, text);
    await settled();
    expect([mine.held, mine.fence, await redis.get('k')]).toEqual([true, fence, mine.token]);
    await mine.unlock();
    const next = await theirs.new('k', '60s').lock();
    const later = ours.new('k', '60s');
    const served = later.lock();
    await inLine('k');
    for (let again = 0; again < 3; again += 1) await redis.publish(channel, text);
    await settled();
    expect([later.held, await redis.get('k')]).toEqual([false, next.token]);
    await next.unlock();
    await (await served).unlock();
  });

  it('takes nothing from a live hold by what he heard, also when it went from hand to hand inside the process', async () => {
    const held = await theirs.new('k', '60s').lock();
    const [first, second] = [ours.new('k', '60s'), ours.new('k', '60s')];
    const waits = [first.lock(), second.lock()];
    await inLine('k');
    await held.unlock();
    const { channel, text } = await granted();
    const [wid, fence, time] = text.split('|') as [string, string, string];
    const forge = async (): Promise<void> => {
      await redis.publish(channel, `${wid}|${Number(fence) + 1e9}|${time}`);
      await settled();
    };
    await waits[0];
    await forge();
    expect([first.held, await redis.get('k')]).toEqual([true, first.token]);
    await first.refresh();
    await first.unlock();
    await waits[1];
    await forge();
    expect([second.held, await redis.get('k')]).toEqual([true, second.token]);
    await second.unlock();
    await forge();
    expect(await redis.exists('k', 'k:~q')).toBe(0);
  });

  it('is not believed when he may have heard a message that we have not: Redis is asked', async () => {
    const held = await theirs.new('k', '60s').lock();
    const waiter = ours.new('k', '60s');
    const waiting = waiter.lock();
    const [channel, wid] = (await inLine('k')) as [string, string];
    await server.cli('client', 'kill', 'type', 'pubsub');
    await eventually(async () => expect(Number(await redis.publish(channel, ''))).toBe(1), 20_000);
    for (let round = 0; round < 3; round += 1) {
      await redis.publish(channel, `${wid}|${microseconds()}|${microseconds()}`);
      await sleep(20);
      expect([waiter.held, await redis.get('k')]).toEqual([false, held.token]);
    }
    await held.unlock();
    await (await waiting).unlock();
    expect(await redis.exists('k', 'k:~q')).toBe(0);
  });
});

describe('the name of a wait', () => {
  it('is never the same twice, and what a message can carry', () => {
    const names = Array.from({ length: 10_000 }, newWid);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(readMessage(`${name}|7|8000`)).toEqual({ wid: name, fence: 7, time: 8 });
  });
});
