import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ConfigError, InvalidArgumentError, ioc, lock } from 'mcube-lock';
import { sharedRedis, uniquePrefix } from '../../support/redis_server.js';
import { tempDir } from '../../support/temp_dir.js';
import { eventually } from '../../support/time.js';

/** Texts that something between here and the server could take for more than text. */
const TEXTS: readonly (readonly [what: string, text: string])[] = [
  ['names of objects', '__proto__'],
  ['a name of every object', 'constructor'],
  ['a method of every object', 'toString'],
  ['another one', 'hasOwnProperty'],
  ['what separates entries and messages', '|'],
  ['a whole entry', 'mlk:AAAAAAAAAAAA|AAAAAAAAAAAA|10000|1|value'],
  ['a whole message', 'AAAAAAAAAAAA|1|1'],
  ['the end of an entry', '|||||'],
  ['a hash tag', '{tag}'],
  ['an opening brace', 'a{b'],
  ['a closing brace', 'a}b'],
  ['braces the wrong way round', '}{'],
  ['empty braces', '{}'],
  ['a newline', 'a\nb'],
  ['the end of a command on the wire', 'a\r\n$1\r\nb\r\n'],
  ['NUL', '\0'],
  ['NUL within', 'a\0b'],
  ['control characters', '\x01\x07\b\x1b[31m\x7f\x9b'],
  ['a space', ' '],
  ['a tab and spaces', '\t a \t'],
  ['quotes', `"'\`\\"`],
  ['Lua', `') redis.call('FLUSHALL') --`],
  ['a pattern of Lua', '%a+.-[^%z]*$'],
  ['a capture of Lua', '(.*)%1'],
  ['a format', '%s%d%.0f%n'],
  ['a pattern of keys', '*?[a-z]'],
  ['a number', '42'],
  ['a negative number', '-1'],
  ['a number without a value', 'NaN'],
  ['a number without an end', '1e999'],
  ['a hexadecimal number', '0x10'],
  ['a letter of the script', 'T'],
  ['false', 'false'],
  ['nil', 'nil'],
  ['an emoji', '🔒'],
  ['emoji in one', '👩‍👩‍👧‍👦'],
  ['Chinese', '订单:四十二'],
  ['right to left', '\u202eabc\u202c'],
  ['a combining mark, not the same as its letter', 'e\u0301'],
  ['the letter, not the same as with a combining mark', 'é'],
  ['what cannot be seen', '\u200b\ufeff'],
  ['what marks bad UTF-8', '\ufffd'],
  ['the last character there is', '\u{10ffff}'],
  ['a line of those who wait', 'x:~q'],
  ['a path', '../../etc/passwd'],
  ['much', 'x'.repeat(65_536)],
  ['much in many bytes', '🔒'.repeat(32_768)],
];

/** Not text: half of a character. */
const HALVES = ['\ud800', '\udc00', 'a\ud83d', '\udd12b', '\udd12\ud83d'];

interface Place {
  readonly ours: lock.LockFactory;
  readonly theirs: lock.LockFactory;
  /** Resolves when somebody waits for the key. */
  waiting(key: string): Promise<void>;
  /** What is stored for the key; undefined when nothing is. */
  stored(key: string): Promise<string | undefined>;
}

const prefix = uniquePrefix();
let redis: Redis;
let places: Record<string, Place>;

beforeAll(() => {
  redis = new Redis({ ...sharedRedis() });
  const memory = lock.open({ provider: 'go_cache' });
  const [ours, theirs] = [1, 2].map(() => lock.open({ provider: 'redis', client: redis, prefix }));
  places = {
    go_cache: {
      ...{ ours: memory, theirs: memory },
      waiting: () => Promise.resolve(),
      stored: () => Promise.resolve(undefined),
    },
    redis: {
      ...{ ours: ours!, theirs: theirs! },
      waiting: (key) => eventually(async () => expect(await redis.llen(`${prefix}${key}:~q`)).toBe(1)),
      stored: async (key) => (await redis.get(prefix + key)) ?? undefined,
    },
  };
});
afterAll(async () => {
  await Promise.all(Object.values(places).flatMap(({ ours, theirs }) => [ours.close(), theirs.close()]));
  await redis.quit();
});

describe.each(['go_cache', 'redis'])('on %s', (provider) => {
  it.each(TEXTS)('%s is a key, a token and a text beside it like any other', async (_, text) => {
    const { ours, theirs, waiting, stored } = places[provider]!;
    const [token, first] = [text.slice(0, 1_024), `1${text.slice(0, 1_022)}`];
    const held = await theirs.new(text, '60s', { token: first, metadata: text }).lock();
    const next = ours.new(text, '60s', { token, metadata: text });
    await expect(next.tryLock()).rejects.toMatchObject({ code: 'ERR_LOCK_NOT_OBTAINED', key: text });
    const wait = next.lock({ wait: '10s' });
    await waiting(text);
    const fence = held.fence!;
    await held.unlock();
    await wait;
    expect([next.held, next.key, next.token, next.metadata]).toEqual([true, text, token, text]);
    expect(next.fence).toBeGreaterThan(fence);
    if (provider === 'redis') expect(await stored(text)).toBe(token + text);
    await next.refresh('30s');
    expect(await next.ttlLeft()).toBeGreaterThan(10_000);
    await next.unlock();
    expect(await stored(text)).toBeUndefined();
  });

  it('none of them is the key of another', async () => {
    const { ours } = places[provider]!;
    const held = await Promise.all(TEXTS.map(([, text]) => ours.new(text, '60s').lock()));
    expect(held.map(({ key }) => key)).toEqual(TEXTS.map(([, text]) => text));
    expect(new Set(held.map(({ token }) => token)).size).toBe(TEXTS.length);
    await Promise.all(held.map((one) => one.unlock()));
  });

  it('what is too long, empty or no text is refused before anything is asked, and not repeated at length', () => {
    const { ours } = places[provider]!;
    const [long, longToken, huge] = ['x'.repeat(65_537), 'x'.repeat(1_025), 'x'.repeat(1 << 20)];
    const refused = [
      ...['', long, huge, ...HALVES, 42, null, undefined, {}, ['k']].map((key) => () => ours.new(key as string, '1s')),
      ...['', longToken, huge, ...HALVES, 42].map((token) => () => ours.new('k', '1s', { token: token as string })),
      ...[long, huge, ...HALVES, 42].map((metadata) => () => ours.new('k', '1s', { metadata: metadata as string })),
      ...[long, huge, ...HALVES, 42].map((wrong) => () => lock.open({ provider: 'go_cache', prefix: wrong as string })),
    ];
    for (const make of refused) {
      expect(make).toThrow(InvalidArgumentError);
      expect(make).toThrow(/^.{1,200}$/);
    }
  });
});

describe('on redis', () => {
  it.each(TEXTS.filter(([, text]) => text.length < 1_000))('%s is a prefix like any other', async (_, text) => {
    const before = uniquePrefix() + text;
    await using factory = lock.open({ provider: 'redis', client: redis, prefix: before });
    await using held = await factory.new('k', '10s').lock();
    expect(await redis.get(`${before}k`)).toBe(held.token);
  });

  it('a lock at the name of another one’s line disturbs neither', async () => {
    const { ours, theirs } = places['redis']!;
    const line = await ours.new('odd:~q', '60s').lock();
    const held = await theirs.new('odd', '60s').lock();
    const wait = ours.new('odd', '60s').lock({ wait: '10s' });
    await held.unlock();
    await (await wait).unlock();
    expect(line.held).toBe(true);
    await line.unlock();
    expect(await redis.exists(`${prefix}odd`, `${prefix}odd:~q`)).toBe(0);
  });

  it('the key of the fence guard is refused, alone of all that leave with it, and goes on counting', async () => {
    const guarded = new Redis({ ...sharedRedis(), keyPrefix: uniquePrefix() });
    await using factory = lock.open({ provider: 'redis', client: guarded });
    const [wrong, right] = await Promise.allSettled([
      factory.new('mlk:fence', '60s').lock(),
      factory.new('k', '60s').lock(),
    ]);
    expect(wrong).toMatchObject({ reason: { code: 'ERR_LOCK_PROVIDER', message: expect.stringMatching(/mlk:fence/) } });
    expect(BigInt((await guarded.get('mlk:fence'))!)).toBeGreaterThan(0n);
    await (right as PromiseFulfilledResult<lock.Lock>).value.unlock();
    await (await factory.new('k', '60s').lock()).unlock();
    await guarded.quit();
  });

  it('with no fence to be had nobody is given a key, whether asked for alone or beside others, and it stays free', async () => {
    const broken = new Redis({ ...sharedRedis(), keyPrefix: uniquePrefix() });
    await using factory = lock.open({ provider: 'redis', client: broken });
    for (const spoil of [() => broken.set('mlk:fence', 'no number'), () => broken.rpush('mlk:fence', 'a list')]) {
      await broken.del('mlk:fence');
      await spoil();
      for (const keys of [['a'], ['a', 'b']]) {
        const outcomes = await Promise.allSettled(keys.map((key) => factory.new(key, '60s').lock()));
        for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { code: 'ERR_LOCK_PROVIDER' } });
        expect(await broken.exists(...keys)).toBe(0);
      }
    }
    await broken.del('mlk:fence');
    await (await factory.new('a', '60s').lock()).unlock();
    await broken.quit();
  });
});

describe('through the configuration', () => {
  const container = new ioc.Ioc();
  const { host, port } = sharedRedis();
  const values = { lock: { provider: 'redis' }, redis: { endpoints: [`${host}:${port}`] } };

  afterEach(async () => {
    await container.stop();
    delete process.env['LOCK_PREFIX'];
  });

  it.each(TEXTS.filter(([, text]) => text.length < 1_000))(
    '%s is the prefix that was written, in TOML and in the environment',
    async (_, text) => {
      const before = uniquePrefix() + text;
      // What JSON escapes, TOML does; but for DEL and what stands behind it.
      const quoted = JSON.stringify(before).replace(/[\x7f-\x9f]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`);
      await using dir = await tempDir({ 'a.toml': `[lock]\nprefix = ${quoted}\n` });
      for (const by of before.includes('\0') ? ['toml'] : ['toml', 'environment']) {
        if (by === 'environment') process.env['LOCK_PREFIX'] = before;
        await container.setup({ files: by === 'toml' ? [dir.file('a.toml')] : [], values, force: true });
        await using held = await lock.L(container).new('k', '10s').lock();
        expect(await redis.get(`${before}k`)).toBe(held.token);
      }
    },
  );

  it.each([
    '[__proto__]\npolluted = true',
    '[lock.__proto__]\npolluted = true',
    '[constructor.prototype]\npolluted = true',
    '[lock]\n__proto__.polluted = true',
    '__proto__ = { polluted = true }',
    '[[__proto__]]\npolluted = true',
    '[lock]\n"__proto__" = "x"\npolluted = true',
  ])('%j reaches no object', async (text) => {
    await using dir = await tempDir({ 'a.toml': text });
    // Sections that nobody asked for are others' business; below those of ours they are mistakes.
    const setup = container.setup({ files: [dir.file('a.toml')] });
    if (text.startsWith('[lock')) await expect(setup).rejects.toBeInstanceOf(ConfigError);
    else await setup;
    expect({}).not.toHaveProperty('polluted');
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it('a section or a key of that name in values given in code reaches no object', async () => {
    for (const json of ['{"__proto__":{"polluted":true}}', '{"lock":{"__proto__":{"polluted":true}}}']) {
      const given = JSON.parse(json) as Record<string, Record<string, unknown>>;
      await container.setup({ values: given, force: true }).catch(() => undefined);
      expect({}).not.toHaveProperty('polluted');
    }
    process.env['__PROTO___POLLUTED'] = 'true';
    await container.setup({ force: true });
    delete process.env['__PROTO___POLLUTED'];
    expect({}).not.toHaveProperty('polluted');
  });
});
