import { tracingChannel } from 'node:diagnostics_channel';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Words, WrittenCommand, type Told } from '../../../src/config/redis/command.js';
import { Parts } from '../../support/garbage.js';
import { sharedRedis, uniquePrefix } from '../../support/redis_server.js';

describe('a command that was written out', () => {
  const redis = new Redis({ ...sharedRedis(), lazyConnect: true });
  afterAll(() => redis.quit());

  const text = (...words: string[]): string => {
    const [first, others] = [new Words(), new Words()];
    words.forEach((word, at) => (at === 0 ? first : others).add(word));
    return first.with(others);
  };
  const run = (client: Redis, ...words: string[]): Promise<unknown> =>
    new Promise((answered, failed) => {
      client.sendCommand(new WrittenCommand(words[0]!, []).saying(text(...words), { answered, failed }));
    });

  it('reaches the server byte for byte, whatever its words are', async () => {
    const key = `${uniquePrefix()}written`;
    for (const value of ['', 'a', '\r\n$3\r\n', '中文 🔒\0', 'é'.repeat(127), 'x'.repeat(100_000)]) {
      expect(await run(redis, 'set', key, value)).toEqual(Buffer.from('OK'));
      expect(await redis.get(key)).toBe(value);
    }
    await redis.del(key);
  });

  it('is not sent again by a cluster after an error that is final for who asked: he is told', () => {
    const told: string[] = [];
    const failed = (error: unknown): void => void told.push((error as Error).message);
    const again: string[] = [];
    for (const message of ['TRYAGAIN', 'MOVED']) {
      const command = new WrittenCommand('get', []).saying('', { answered: () => undefined, failed });
      command.sentBy(
        // As ioredis' Cluster does.
        (one) => (one.reject = (error) => void again.push(error.message)),
        (error) => error.message === 'TRYAGAIN',
      );
      command.reject(new Error(message));
    }
    expect([told, again]).toEqual([['TRYAGAIN'], ['MOVED']]);
  });

  it('is answered in its turn among others', async () => {
    const key = `${uniquePrefix()}turn`;
    const answers = await Promise.all([
      redis.incr(key),
      run(redis, 'incr', key),
      redis.incr(key),
      run(redis, 'del', key),
    ]);
    expect(answers).toEqual([1, 2, 3, 1]);
  });

  it("tells the server's refusal, and that the connection ended", async () => {
    await expect(run(redis, 'get', 'too', 'many')).rejects.toMatchObject({ name: 'ReplyError' });
    const other = new Redis({ ...sharedRedis(), retryStrategy: () => null });
    other.on('error', () => undefined);
    const waiting = run(other, 'blpop', `${uniquePrefix()}nothing`, '0');
    setTimeout(() => other.disconnect(), 20);
    await expect(waiting).rejects.toThrow(/closed/i);
  });

  it('lets go of who was told, so that what is over keeps nothing in memory', async () => {
    const kept = new Parts();
    // In a function of its own: the frame of this one would keep the last.
    const over = ['answered', 'failed'].map((outcome) => {
      const told: Told = kept.add(outcome, { answered: () => undefined, failed: () => undefined });
      const command = new WrittenCommand('ping', []).saying(text('ping'), told);
      if (outcome === 'answered') command.resolve('PONG');
      else command.reject(new Error('ended'));
      return command;
    });
    await kept.collected();
    expect(over).toHaveLength(2);
  });

  it('can be sent again, with other words and for another, once it was answered; not when it failed', async () => {
    const command = new WrittenCommand('get', []);
    const send = (...words: string[]): Promise<unknown> =>
      new Promise((answered, failed) => {
        redis.sendCommand(command.saying(text(...words), { answered, failed }));
      });
    expect(command.free).toBe(false);
    const first = send('echo', 'one');
    expect(command.free).toBe(false);
    expect(String(await first)).toBe('one');
    expect(command.free).toBe(true);
    expect(String(await send('echo', 'another'))).toBe('another');
    await expect(send('get', 'too', 'many')).rejects.toMatchObject({ name: 'ReplyError' });
    expect(command.free).toBe(false);
  });

  it('ends for those who put their own ends around it, as instrumentations do, once each time it is sent', async () => {
    const ends: unknown[] = [];
    const command = new WrittenCommand('echo', []);
    for (const word of ['a', 'b', 'c']) {
      await new Promise<void>((done, failed) => {
        command.saying(text('echo', word), { answered: () => done(), failed });
        const { resolve } = command;
        command.resolve = (reply: unknown) => {
          ends.push(String(reply));
          resolve(reply);
        };
        redis.sendCommand(command);
      });
    }
    expect(ends).toEqual(['a', 'b', 'c']);
  });

  it('has a promise of its own each time it is sent, for those who trace commands by it, and keeps none of the last', async () => {
    const command = new WrittenCommand('echo', []);
    const promises = new Set<Promise<unknown>>();
    for (const word of ['a', 'b', 'c']) {
      const [told, traced] = await new Promise<[unknown, Promise<unknown>]>((done, failed) => {
        command.saying(text('echo', word), { answered: (reply) => done([reply, command.promise]), failed });
        redis.sendCommand(command);
      });
      promises.add(traced);
      expect(String(await traced)).toBe(String(told));
    }
    expect(promises.size).toBe(3);
    const wrong = new WrittenCommand('get', []);
    const failed = new Promise((done) => {
      redis.sendCommand(wrong.saying(text('get', 'too', 'many'), { answered: done, failed: done }));
    });
    await expect(wrong.promise).rejects.toBe(await failed);
  });

  it('is seen from its start to its end by those who trace commands', async () => {
    const seen: string[] = [];
    const noted =
      (what: string) =>
      ({ command }: { command?: string }): void =>
        void seen.push(`${what} ${command}`);
    const subscribers = { start: noted('start'), asyncEnd: noted('end'), error: noted('error') };
    await redis.ping();
    const channel = tracingChannel<string, { command?: string }>('ioredis:command');
    channel.subscribe(subscribers as never);
    try {
      const command = new WrittenCommand('echo', []);
      await new Promise((answered, failed) => {
        redis.sendCommand(command.saying(text('echo', 'a'), { answered, failed }));
      });
      await new Promise(setImmediate);
      await expect(run(redis, 'get', 'too', 'many')).rejects.toMatchObject({ name: 'ReplyError' });
      await new Promise(setImmediate);
    } finally {
      channel.unsubscribe(subscribers as never);
    }
    expect(seen).toEqual(['start echo', 'end echo', 'start get', 'error get', 'end get']);
  });
});
