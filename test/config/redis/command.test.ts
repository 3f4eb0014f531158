import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { Words, WrittenCommand, type Told } from '../../../src/config/redis/command.js';
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
      client.sendCommand(new WrittenCommand(words[0]!, [], text(...words), { answered, failed }));
    });

  it('reaches the server byte for byte, whatever its words are', async () => {
    const key = `${uniquePrefix()}written`;
    for (const value of ['', 'a', '\r\n$3\r\n', '中文 🔒\0', 'é'.repeat(127), 'x'.repeat(100_000)]) {
      expect(await run(redis, 'set', key, value)).toEqual(Buffer.from('OK'));
      expect(await redis.get(key)).toBe(value);
    }
    await redis.del(key);
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
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const over: WrittenCommand[] = [];
    const refs = ['answered', 'failed'].map((outcome) => {
      const told: Told = { answered: () => undefined, failed: () => undefined };
      const command = new WrittenCommand('ping', [], text('ping'), told);
      if (outcome === 'answered') command.resolve('PONG');
      else command.reject(new Error('ended'));
      over.push(command);
      return new WeakRef(told);
    });
    await new Promise(setImmediate);
    collect();
    expect(refs.map((ref) => ref.deref())).toEqual([undefined, undefined]);
    expect(over).toHaveLength(2);
  });
});
