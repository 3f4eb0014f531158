import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { durationText } from '../../src/duration.js';
import { choice, duration, flag, integer, list, number, table, text } from '../../src/loader/index.js';
import { load, refusal } from './given.js';

class Inner {
  @integer({ about: 'x', min: 1 }) size = 3;
  @text({ about: 'x' }) label = 'in';
}

class All {
  @text({ about: 'x', pattern: /^[a-z]*$/g, maxLength: 5 }) word = 'abc';
  @text({ about: 'x' }) free = '';
  @integer({ about: 'x', min: -5, max: 5 }) few = 1;
  @integer({ about: 'x' }) whole = 1;
  @number({ about: 'x' }) real = 0.5;
  @flag({ about: 'x' }) isOn = false;
  @choice(['go_cache', 'redis'], { about: 'x' }) provider = 'go_cache';
  @duration({ about: 'x', least: 10 }) wait = 1_000;
  @duration({ about: 'x', none: true }) limit: number | undefined = 5;
  @list({ about: 'x' }) words = ['a'];
  @list({ about: 'x', of: 'integer' }) numbers: number[] = [];
  @list({ about: 'x', of: 'number' }) reals: number[] = [];
  @list({ about: 'x', of: 'flag' }) flags: boolean[] = [];
  @list({ about: 'x', of: 'duration', minLength: 2 }) waits: number[] = [1, 2];
  @table(Inner, { about: 'x' }) inner = new Inner();
  @list({ about: 'x', of: Inner }) inners: Inner[] = [];
}

describe('a value of TOML', () => {
  it.each<[string, keyof All, unknown]>([
    ['word = "xyz"', 'word', 'xyz'],
    ['word = ""', 'word', ''],
    ['few = -5', 'few', -5],
    ['few = 5.0', 'few', 5],
    ['whole = 0x10', 'whole', 16],
    ['whole = 9_007_199_254_740_991', 'whole', 9007199254740991],
    ['whole = -0', 'whole', 0],
    ['real = 1', 'real', 1],
    ['real = -1.5e3', 'real', -1500],
    ['is_on = true', 'isOn', true],
    ['provider = "redis"', 'provider', 'redis'],
    ['wait = "1m30s"', 'wait', 90_000],
    ['wait = 250', 'wait', 250],
    ['limit = "none"', 'limit', undefined],
    ['limit = "1.5s"', 'limit', 1_500],
    ['words = ["a,b", " c "]', 'words', ['a,b', ' c ']],
    ['words = []', 'words', []],
    ['numbers = [1, 2]', 'numbers', [1, 2]],
    ['reals = [1, 2.5]', 'reals', [1, 2.5]],
    ['flags = [true]', 'flags', [true]],
    ['waits = ["1s", 5]', 'waits', [1_000, 5]],
    ['inner = { size = 9 }', 'inner', { size: 9, label: 'in' }],
    ['inner.label = "dotted"', 'inner', { size: 3, label: 'dotted' }],
    [
      'inners = [{ size = 1 }, { label = "b" }]',
      'inners',
      [
        { size: 1, label: 'in' },
        { size: 3, label: 'b' },
      ],
    ],
  ])('%s is taken', async (line, property, value) => {
    const object = await load(All, { files: { 'a.toml': `[one]\n${line}\n` } });
    expect(object[property]).toEqual(value);
    expect(Object.is(object[property], -0)).toBe(false);
  });

  it.each<[string, string, string, string]>([
    ['word = "XYZ"', 'one.word', '"XYZ"', 'matches /^[a-z]*$/g'],
    ['word = "abcdef"', 'one.word', '"abcdef"', 'at most 5 characters'],
    ['word = 5', 'one.word', '5', 'in quotes'],
    ['free = 2024-01-02', 'one.free', 'the date 2024-01-02', 'text'],
    ['few = 6', 'one.few', '6', 'a whole number, -5 to 5'],
    ['few = "5"', 'one.few', '"5"', 'without quotes'],
    ['few = 1.5', 'one.few', '1.5', 'a whole number'],
    ['few = nan', 'one.few', 'nan', 'a whole number'],
    ['few = true', 'one.few', 'true', 'a whole number'],
    ['whole = 9007199254740993', 'one.whole', '9007199254740993', 'a whole number'],
    ['real = inf', 'one.real', 'inf', 'a number'],
    ['real = -inf', 'one.real', '-inf', 'a number'],
    ['real = [1]', 'one.real', '[1]', 'a number'],
    ['is_on = "true"', 'one.is_on', '"true"', 'true or false, without quotes'],
    ['is_on = 1', 'one.is_on', '1', 'true or false'],
    ['provider = "rediss"', 'one.provider', '"rediss"', '"go_cache" or "redis"; did you mean `redis`?'],
    ['provider = 1', 'one.provider', '1', '"go_cache" or "redis"'],
    ['wait = "soon"', 'one.wait', '"soon"', '"1m30s"'],
    ['wait = "5"', 'one.wait', '"5"', '"1m30s"'],
    ['wait = 9', 'one.wait', '9', 'from 10'],
    ['wait = "none"', 'one.wait', '"none"', 'from 10'],
    ['wait = 1.5', 'one.wait', '1.5', 'whole milliseconds'],
    ['wait = -1', 'one.wait', '-1', 'whole milliseconds'],
    ['words = "a"', 'one.words', '"a"', 'in brackets'],
    ['words = ["a", 1]', 'one.words', '["a", 1]', 'item 2 is not'],
    ['numbers = [1, "2"]', 'one.numbers', '[1, "2"]', 'item 2 is not'],
    ['waits = [5]', 'one.waits', '[5]', 'a list of 2 or more'],
    ['inner = 5', 'one.inner', 'a number', 'a table, such as inner.size'],
    ['inner = { size = 0 }', 'one.inner.size', '0', '1 or more'],
    ['inners = [5]', 'one.inners', 'a list', 'a list of tables'],
    ['inners = { size = 1 }', 'one.inners', 'a table', 'a list of tables'],
    ['inners = [{}, { size = 0 }]', 'one.inners[1].size', '0', '1 or more'],
  ])('%s is refused', async (line, key, found, right) => {
    const { mistakes, message } = await refusal(All, { files: { 'a.toml': `[one]\n${line}\n` } });
    expect(mistakes).toMatchObject([{ key, source: 'a.toml:2', found: expect.stringContaining(found) }]);
    expect(message).toContain(right);
  });
});

describe('a value of the environment', () => {
  it.each<[string, string, keyof All, unknown]>([
    ['ONE_WORD', 'xyz', 'word', 'xyz'],
    ['ONE_FREE', ' a, "b" ', 'free', ' a, "b" '],
    ['ONE_FEW', '-5', 'few', -5],
    ['ONE_REAL', '1.5e3', 'real', 1500],
    ['ONE_IS_ON', 'TRUE', 'isOn', true],
    ['ONE_IS_ON', '1', 'isOn', true],
    ['ONE_IS_ON', '0', 'isOn', false],
    ['ONE_PROVIDER', 'redis', 'provider', 'redis'],
    ['ONE_WAIT', '1m30s', 'wait', 90_000],
    ['ONE_LIMIT', 'none', 'limit', undefined],
    ['ONE_WORDS', 'a, b ,c', 'words', ['a', 'b', 'c']],
    ['ONE_NUMBERS', '1,2', 'numbers', [1, 2]],
    ['ONE_FLAGS', 'true,0', 'flags', [true, false]],
    ['ONE_WAITS', '1s,2s', 'waits', [1_000, 2_000]],
    ['ONE_INNER_SIZE', '9', 'inner', { size: 9, label: 'in' }],
    ['ONE_WORD', '', 'word', 'abc'],
    ['ONE_WORDS', '', 'words', ['a']],
  ])('%s=%s is taken', async (name, value, property, expected) => {
    expect((await load(All, { env: { [name]: value } }))[property]).toEqual(expected);
  });

  it.each<[string, string, string]>([
    ['ONE_FEW', '6', 'a whole number, -5 to 5'],
    ['ONE_FEW', '1.0', 'a whole number'],
    ['ONE_FEW', '0x5', 'a whole number'],
    ['ONE_FEW', '1_0', 'a whole number'],
    ['ONE_FEW', ' 5', 'a whole number'],
    ['ONE_FEW', '05', 'a whole number'],
    ['ONE_WHOLE', '9007199254740993', 'a whole number'],
    ['ONE_REAL', '1e999', 'a number'],
    ['ONE_REAL', 'NaN', 'a number'],
    ['ONE_REAL', 'Infinity', 'a number'],
    ['ONE_REAL', '0x10', 'a number'],
    ['ONE_IS_ON', 'yes', 'true or false (or 1 or 0)'],
    ['ONE_IS_ON', 'constructor', 'true or false'],
    ['ONE_PROVIDER', 'Redis', 'did you mean `redis`?'],
    ['ONE_WAIT', '5000', 'expected a duration from 10ms to ten years such as "500ms"'],
    ['ONE_LIMIT', 'never', 'such as "500ms", "10s", "1m30s", or "none"'],
    ['ONE_WORDS', 'a,,b', 'none empty'],
    ['ONE_WORDS', 'a,', 'none empty'],
    ['ONE_WORDS', ' ', 'none empty'],
    ['ONE_NUMBERS', '1,x', 'item 2 is not'],
    ['ONE_INNER', 'x', 'ONE_INNER_SIZE'],
    ['ONE_INNERS', 'x', 'in a TOML file'],
  ])('%s=%s is refused', async (name, value, right) => {
    const { mistakes, message } = await refusal(All, { env: { [name]: value } });
    expect(mistakes).toMatchObject([{ source: `environment variable ${name}` }]);
    expect(message).toContain(right);
  });
});

describe('a value given in code', () => {
  it('goes by the TOML key or by the name of the property, and is copied', async () => {
    const words = ['x'];
    const object = await load(All, { values: { one: { is_on: true, provider: 'redis', words, inner: { size: 7 } } } });
    expect(object).toMatchObject({ isOn: true, provider: 'redis', words: ['x'], inner: { size: 7, label: 'in' } });
    expect((await load(All, { values: { one: { isOn: true } } })).isOn).toBe(true);
    words.push('y');
    expect(object.words).toEqual(['x']);
  });

  it('that is undefined counts as not given', async () => {
    expect((await load(All, { values: { one: { few: undefined } } })).few).toBe(1);
  });

  it.each<[string, unknown, string]>([
    ['few', 5n, '5'],
    ['few', '5', '"5"'],
    ['few', null, 'null'],
    ['real', Number.NaN, 'nan'],
    ['isOn', 'true', '"true"'],
    ['word', () => 'x', 'a function'],
    ['free', new Date(Number.NaN), 'the date (invalid)'],
    ['words', new Set(['a']), 'an object'],
    ['words', Array.from({ length: 20 }, () => 1), '(20 items)'],
    ['inner', new Map(), 'an object'],
    ['inner', null, 'null'],
  ])('of the wrong type for %s is refused: %p', async (key, value, found) => {
    const { mistakes } = await refusal(All, { values: { one: { [key]: value } } });
    expect(mistakes).toMatchObject([{ source: 'values given in code', found: expect.stringContaining(found) }]);
  });

  it('that goes round in circles ends in a refusal, not in a hang', async () => {
    const circle: Record<string, unknown> = {};
    circle['inner'] = circle;
    expect((await refusal(All, { values: { one: { inner: circle } } })).mistakes[0]?.key).toBe('one.inner.inner');
  });
});

describe('what is written comes back', () => {
  const lines = fc.record({
    free: fc.string({ unit: 'binary' }).filter((value) => !value.includes('\u007f')),
    whole: fc.maxSafeInteger(),
    real: fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }),
    isOn: fc.boolean(),
    wait: fc.integer({ min: 10, max: 10_000_000 }),
    numbers: fc.array(fc.maxSafeInteger(), { minLength: 1 }),
  });

  it('through TOML', async () => {
    await fc.assert(
      fc.asyncProperty(lines, async (value) => {
        const { free, whole, real, isOn, wait, numbers } = value;
        const toml = {
          free: JSON.stringify(free),
          whole,
          real: float(real),
          is_on: isOn,
          wait,
          numbers: JSON.stringify(numbers),
        };
        const written = Object.entries(toml).map(([key, text]) => `${key} = ${text}\n`);
        expect(await load(All, { files: { 'a.toml': `[one]\n${written.join('')}` } })).toMatchObject({
          ...value,
          real: real + 0,
        });
      }),
      { numRuns: 50 },
    );
  });

  it('through the environment', async () => {
    await fc.assert(
      fc.asyncProperty(lines, async ({ free, whole, real, isOn, wait, numbers }) => {
        const env = { ONE_WHOLE: `${whole}`, ONE_REAL: `${real}`, ONE_IS_ON: `${isOn}`, ONE_WAIT: durationText(wait) };
        const text = free.replaceAll('\0', '') || 'x';
        const object = await load(All, { env: { ...env, ONE_FREE: text, ONE_NUMBERS: numbers.join(' , ') } });
        expect(object).toMatchObject({ free: text.toWellFormed(), whole, real: real + 0, isOn, wait, numbers });
      }),
      { numRuns: 50 },
    );
  });
});

function float(value: number): string {
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
