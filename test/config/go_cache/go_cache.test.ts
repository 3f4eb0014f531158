import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { C, Cache, get, GoCacheConfig } from '../../../src/config/go_cache/index.js';
import { InvalidArgumentError, NotReadyError } from '../../../src/errors.js';
import { Ioc } from '../../../src/ioc/index.js';
import { ConfigError, fieldsOf } from '../../../src/loader/index.js';

describe('the cache', () => {
  it('keeps what it is given, undefined and null too', () => {
    const cache = new Cache(3);
    expect(cache.set('a', 1).set('b', undefined).set('c', null).size).toBe(3);
    expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.get('d')]).toEqual([1, undefined, null, undefined]);
    expect([cache.has('b'), cache.has('c'), cache.has('d')]).toEqual([true, true, false]);
    expect([cache.delete('b'), cache.delete('b'), cache.has('b'), cache.size]).toEqual([true, false, false, 2]);
    cache.clear();
    expect(cache.size).toBe(0);
  });

  it('lets the least recently used entry go when it is full; asking with has is no use', () => {
    const cache = new Cache(2).set('a', 1).set('b', 2);
    cache.get('a');
    cache.has('b');
    cache.set('c', 3);
    expect([cache.has('a'), cache.has('b'), cache.has('c')]).toEqual([true, false, true]);
  });

  it('behaves as a list of the last used keys does', () => {
    const step = fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd', 'e'), write: fc.boolean() });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step), (size, steps) => {
        const cache = new Cache(size);
        let last: string[] = [];
        for (const { key, write } of steps) {
          if (write) cache.set(key, key);
          else expect(cache.get(key)).toBe(last.includes(key) ? key : undefined);
          if (write || last.includes(key)) last = [key, ...last.filter((other) => other !== key)].slice(0, size);
        }
        expect(cache.size).toBe(last.length);
      }),
    );
  });

  it('forgets a value after its lifetime, by the monotonic clock, and no other', () => {
    let now = 1_000;
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    try {
      const cache = new Cache(9).set('a', 1, '1m').set('b', 2, 500).set('c', 3);
      now += 500;
      expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, 2, 3]);
      now += 1;
      expect([cache.get('a'), cache.get('b'), cache.has('b'), cache.delete('b'), cache.size]).toEqual([
        1,
        undefined,
        false,
        false,
        2,
      ]);
      cache.set('a', 4);
      now += 3_600_000;
      expect([cache.get('a'), cache.get('c')]).toEqual([4, 3]);
    } finally {
      jest.restoreAllMocks();
    }
  });

  it('sets no timer', () => {
    const timer = jest.spyOn(globalThis, 'setTimeout');
    new Cache(2).set('a', 1, '1s').get('a');
    expect(timer).not.toHaveBeenCalled();
    timer.mockRestore();
  });

  it.each([0, -1, 1.5, Number.NaN, Infinity, '', 'soon', null, {}])(
    'refuses %p as a lifetime, and changes nothing',
    (ttl) => {
      const cache = new Cache(2).set('a', 1);
      expect(() => cache.set('a', 2, ttl as never)).toThrow(InvalidArgumentError);
      expect(cache.get('a')).toBe(1);
    },
  );

  it.each([undefined, null, 5, {}, Symbol('x')])('refuses %p as a key', (key) => {
    const cache = new Cache(2);
    for (const use of ['get', 'has', 'delete', 'set'] as const) {
      expect(() => cache[use](key as never, 1)).toThrow(InvalidArgumentError);
    }
    expect(cache.size).toBe(0);
  });
});

describe('the component go_cache', () => {
  it('has one field, size', () => {
    expect(fieldsOf(GoCacheConfig)).toMatchObject([{ key: 'size', kind: 'integer', bounds: '1 to 10000000' }]);
    expect(new GoCacheConfig().size).toBe(500);
  });

  it('gives the cache between setup and stop, and says what to call otherwise', async () => {
    const container = new Ioc();
    expect(() => C(container)).toThrow(NotReadyError);
    expect(() => C()).toThrow('await ioc.developmentSetup()');
    await container.setup({ env: { enabled: false }, values: { go_cache: { size: 1 } } });
    const cache = C(container);
    expect(cache.set('a', 1).set('b', 2).size).toBe(1);
    expect(C(container)).toBe(cache);
    expect(get(container).size).toBe(1);
    await container.stop();
    expect(() => C(container)).toThrow(NotReadyError);
    expect(cache.size).toBe(0);
  });

  it('is another one in another container, and an empty one after a new setup', async () => {
    const [one, two] = [new Ioc(), new Ioc()];
    await Promise.all([one.setup({ env: { enabled: false } }), two.setup({ env: { enabled: false } })]);
    C(one).set('a', 1);
    expect(C(two).has('a')).toBe(false);
    await one.setup({ env: { enabled: false }, force: true });
    expect(C(one).has('a')).toBe(false);
    await Promise.all([one.stop(), two.stop()]);
  });

  it.each([0, -1, 1.5, 1e9, '500', null])('refuses %p as its size', async (size) => {
    const container = new Ioc();
    await expect(container.setup({ env: { enabled: false }, values: { go_cache: { size } } })).rejects.toThrow(
      ConfigError,
    );
    expect(() => C(container)).toThrow(NotReadyError);
  });
});
