import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { integer, list, table } from '../../src/loader/index.js';
import { load } from './given.js';

class Pool {
  @integer({ about: 'x' }) size = 0;
  @integer({ about: 'x' }) spare = 0;
}

class One {
  @integer({ about: 'x' }) first = 0;
  @integer({ about: 'x' }) second = 0;
  @list({ about: 'x', of: 'integer' }) ports = [0];
  @table(Pool, { about: 'x' }) pool = new Pool();
}

/** The weakest first. */
const SOURCES = ['a.toml', 'b.toml', '.env', 'environment', 'values'] as const;
type Source = (typeof SOURCES)[number];

const KEYS = ['first', 'second', 'ports', 'pool.size', 'pool.spare'] as const;

/** Which keys each source gives; the value is the place of the source, 1 to 5. */
const plan = fc.record(
  Object.fromEntries(SOURCES.map((source) => [source, fc.subarray([...KEYS])])) as never,
) as fc.Arbitrary<Record<Source, (typeof KEYS)[number][]>>;

describe('precedence', () => {
  it('is decided key by key: code, environment, .env, the last file, earlier files, default', async () => {
    await fc.assert(
      fc.asyncProperty(plan, async (given) => {
        const object = await load(One, {
          files: {
            'a.toml': toml(given['a.toml'], 1),
            'b.toml': toml(given['b.toml'], 2),
            '.env': lines(given['.env'], 3),
          },
          env: variables(given.environment, 4),
          values: { one: values(given.values, 5) },
        });
        const of = (key: (typeof KEYS)[number]) => SOURCES.findLastIndex((source) => given[source].includes(key)) + 1;
        expect(object).toEqual({
          first: of('first'),
          second: of('second'),
          ports: [of('ports')],
          pool: { size: of('pool.size'), spare: of('pool.spare') },
        });
      }),
      { numRuns: 200 },
    );
  });

  it('replaces lists as wholes', async () => {
    const files = { 'a.toml': '[one]\nports = [1, 2, 3]', 'b.toml': '[one]\nports = [4]' };
    expect((await load(One, { files })).ports).toEqual([4]);
  });

  it('leaves the environment out when it is turned off', async () => {
    const given = { files: { '.env': 'ONE_FIRST=3' }, env: { ONE_SECOND: '4' } };
    expect(await load(One, { ...given, request: { env: { enabled: false } } })).toMatchObject({ first: 0, second: 0 });
    expect(await load(One, given)).toMatchObject({ first: 3, second: 4 });
  });

  it('reads names with their prefix only, when there is one', async () => {
    const env = { ONE_FIRST: '1', APP_ONE_SECOND: '2' };
    const object = await load(One, { env, request: { env: { prefix: 'APP' } } });
    expect(object).toMatchObject({ first: 0, second: 2 });
  });

  it('passes over a variable that is set but empty', async () => {
    const object = await load(One, {
      files: { 'a.toml': '[one]\nfirst = 1', '.env': 'ONE_FIRST=' },
      env: { ONE_FIRST: '' },
    });
    expect(object.first).toBe(1);
  });

  it('takes .env from where it is told, and never writes it to the environment of the process', async () => {
    const files = { 'other.env': 'ONE_FIRST=7\nUNRELATED_THING=1', '.env': 'ONE_FIRST=8' };
    expect((await load(One, { files, request: { env: { file: 'other.env' } } })).first).toBe(7);
    expect(process.env).not.toHaveProperty('ONE_FIRST');
    expect(process.env).not.toHaveProperty('UNRELATED_THING');
  });
});

const literal = (key: string, value: number) => (key === 'ports' ? `[${value}]` : `${value}`);

function toml(keys: readonly string[], value: number): string {
  return ['[one]', ...keys.map((key) => `${key} = ${literal(key, value)}`)].join('\n');
}

function variables(keys: readonly string[], value: number): Record<string, string> {
  return Object.fromEntries(keys.map((key) => [`ONE_${key.replace('.', '_').toUpperCase()}`, `${value}`]));
}

function lines(keys: readonly string[], value: number): string {
  return Object.entries(variables(keys, value))
    .map(([name, text]) => `${name}=${text}`)
    .join('\n');
}

function values(keys: readonly string[], value: number): Record<string, unknown> {
  const table: Record<string, unknown> = {};
  for (const key of keys) {
    const [outer, inner] = key.split('.') as [string, string?];
    if (inner === undefined) table[outer] = outer === 'ports' ? [value] : value;
    else table[outer] = { ...(table[outer] as object), [inner]: value };
  }
  return table;
}
