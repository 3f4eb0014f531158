import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidArgumentError } from '../../src/errors.js';
import { describe as values, integer, list, readConfiguration, refuse, table, text } from '../../src/loader/index.js';
import { load, refusal, type Given } from './given.js';

class Inner {
  @text({ about: 'x', secret: true }) pin = '';
}

class One {
  @text({ about: 'x', secret: true, pattern: /^\d*$/ }) password = '';
  @list({ about: 'x', of: 'integer', secret: true }) codes: number[] = [];
  @text({ about: 'x', maxLength: 3 }) url = '';
  @integer({ about: 'x' }) port = 1;
  @table(Inner, { about: 'x' }) inner = new Inner();
  @list({ about: 'x', of: Inner }) inners: Inner[] = [];
}

const SECRET = 'hunter2';

describe('a secret', () => {
  it.each<[string, Given]>([
    ['against the pattern, in a file', { files: { 'a.toml': `[one]\npassword = "${SECRET}"` } }],
    ['against the pattern, in the environment', { env: { ONE_PASSWORD: SECRET } }],
    ['against the pattern, in .env', { files: { '.env': `ONE_PASSWORD=${SECRET}` } }],
    ['against the pattern, in code', { values: { one: { password: SECRET } } }],
    ['as a list', { files: { 'a.toml': `[one]\npassword = ["${SECRET}"]` } }],
    ['as a table', { files: { 'a.toml': `[one]\npassword = { text = "${SECRET}" }` } }],
    ['as a number', { values: { one: { password: { valueOf: () => SECRET, toString: () => SECRET } } } }],
    ['in a list of secrets', { env: { ONE_CODES: `1,${SECRET}` } }],
    ['in a table', { files: { 'a.toml': `[one]\ninner.pin = ["${SECRET}"]` } }],
    ['in the place of a table', { files: { 'a.toml': `[one]\ninner = "${SECRET}"` } }],
    ['in the place of a list of tables', { files: { 'a.toml': `[one]\ninners = ["${SECRET}"]` } }],
    ['in the place of a section', { files: { 'a.toml': `one = "${SECRET}"` } }],
    ['beside a mistyped key', { files: { 'a.toml': `[one]\npasword = "${SECRET}"` } }],
    ['beside a mistyped key in code', { values: { one: { pasword: SECRET } } }],
    ['below a mistyped section', { values: { ones: { password: SECRET } } }],
    ['in a URL', { values: { one: { url: `redis://user:${SECRET}@host:6379` } } }],
    ['in a URL, an @ in it', { values: { one: { url: `redis://:a@${SECRET}@host` } } }],
    ['in a URL without a scheme', { values: { one: { url: `${SECRET}@host:6379` } } }],
    ['in a URL with commas, torn into items', { values: { one: { url: ['redis://u:x', SECRET, 'y@h'] } } }],
    ['in a query', { values: { one: { url: `redis://host?password=${SECRET}` } } }],
    ['in TOML without quotes', { files: { 'a.toml': `[one]\npassword = ${SECRET}\n` } }],
    ['in TOML without the second quote', { files: { 'a.toml': `[one]\npassword = "${SECRET}\n` } }],
    ['in TOML without the equals sign', { files: { 'a.toml': `[one]\npassword ${SECRET}\n` } }],
    ['in TOML on a line of its own', { files: { 'a.toml': `[one]\npassword =\n${SECRET}\n` } }],
    ['in TOML, with an equals sign', { files: { 'a.toml': `[one]\npassword "${SECRET}="\n` } }],
    ['in TOML over lines', { files: { 'a.toml': `[one]\npassword = """\nx = ${SECRET}\n` } }],
    ['in TOML over lines without an end', { files: { 'a.toml': `[one]\npassword = """\n${SECRET} = 1` } }],
    ['in TOML over lines, badly ended', { files: { 'a.toml': `[one]\npassword = """\n${SECRET} = """ = 5\n` } }],
    ['in TOML in a broken list', { files: { 'a.toml': `[one]\ncodes = [\n  1,\n  ${SECRET},\n]\n` } }],
    ['in TOML behind a header', { files: { 'a.toml': `[one] password = "${SECRET}"\n` } }],
    ['in TOML in a header', { files: { 'a.toml': `[one ${SECRET}]\n` } }],
    ['in TOML given twice', { files: { 'a.toml': `[one]\npassword = "1"\npassword = "${SECRET}"` } }],
    ['in TOML with a bad escape', { files: { 'a.toml': `[one]\npassword = "${SECRET}\\q"` } }],
  ])('%s is in no part of the error', async (_, given) => {
    const error = await refusal(One, given);
    for (const shown of [
      error.message,
      error.stack,
      JSON.stringify(error),
      inspect(error, { depth: 9, showHidden: true }),
    ]) {
      expect(shown).not.toContain(SECRET);
    }
  });

  it('is in no part of the error, whatever it is and wherever it stands', async () => {
    const secret = fc.stringMatching(/^[a-zA-Z0-9@:/=#"'\\ .[\]{}-]{0,8}Zq7x[a-zA-Z0-9@:/=#"'\\ .[\]{}-]{0,8}$/);
    const place = fc.constantFrom<(secret: string) => Given>(
      (one) => ({ files: { 'a.toml': `[one]\npassword = "${one}"\nport = "x"` } }),
      (one) => ({ files: { 'a.toml': `[one]\npassword = ${one}\nport = "x"` } }),
      (one) => ({ files: { 'a.toml': `[one]\npassword = """${one}\n"""\nport = "x"` } }),
      (one) => ({ files: { '.env': `ONE_PASSWORD=${one}` }, env: { ONE_PORT: 'x' } }),
      (one) => ({ env: { ONE_PASSWORD: one, ONE_PORT: 'x', ONE_CODES: one } }),
    );
    await fc.assert(
      fc.asyncProperty(secret, place, async (one, given) => {
        const error = await refusal(One, given(one));
        expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('Zq7x');
      }),
      { numRuns: 300 },
    );
  });

  it('is hidden in what is shown of an object, unless it is empty', async () => {
    const object = await load(One, {
      values: { one: { password: '123', codes: [4711], inner: { pin: SECRET }, inners: [{ pin: SECRET }, {}] } },
    });
    const shown = values(object);
    expect(shown).toEqual({
      password: '***',
      codes: '***',
      url: '',
      port: 1,
      inner: { pin: '***' },
      inners: [{ pin: '***' }, { pin: '' }],
    });
    expect(values(new One())).toMatchObject({ password: '', codes: [], inner: { pin: '' } });
  });

  it('is hidden in the refusals of a component', async () => {
    const object = await load(One, { values: { one: { password: '123' } } });
    expect(refuse(object, 'password', 'another one').message).toBe(
      'configuration refused: one.password (values given in code): found *** (a secret, given as text), expected another one',
    );
  });
});

describe('a refusal by the component itself', () => {
  it('names key, source, what was found and what is right', async () => {
    const files = { 'a.toml': '[one]\nport = 7\ninners = [{}]\n[one.inner]\n', '.env': 'ONE_URL=abc' };
    const object = await load(One, { files });
    const told = (of: object, property: string) => refuse(of, property, 'right').mistakes[0];
    expect(told(object, 'port')).toEqual({ key: 'one.port', source: 'a.toml:2', found: '7', right: 'right' });
    expect(told(object, 'url')).toMatchObject({ key: 'one.url', source: '.env: ONE_URL', found: '"abc"' });
    expect(told(object, 'codes')).toMatchObject({
      key: 'one.codes',
      source: 'default in code',
      found: '*** (a secret, given as a list)',
    });
    expect(told(object, 'inner')).toMatchObject({ key: 'one.inner', source: 'a.toml:4' });
    expect(told(object.inner, 'pin')).toMatchObject({ key: 'one.inner.pin', source: 'default in code' });
    expect(told(object.inners[0]!, 'pin')).toMatchObject({ key: 'one.inners[0].pin' });
  });

  it('does not blame a file for what code put there later', async () => {
    const object = await load(One, { files: { 'a.toml': '[one]\nport = 7' } });
    object.port = 8;
    expect(refuse(object, 'port', 'right').mistakes[0]).toMatchObject({ source: 'set in code', found: '8' });
    expect(refuse(new One(), 'port', 'right').mistakes[0]).toMatchObject({ key: 'port', source: 'set in code' });
  });
});

describe('a default', () => {
  class Needy {
    @text({ about: 'x', minLength: 1, right: 'the address of the server' }) url = '';
    @integer({ about: 'x', min: 1 }) port = 0;
    @text({ about: 'x', secret: true, minLength: 1 }) pin = '';
  }

  it('of a list that is too short means the same', async () => {
    class Hosts {
      @list({ about: 'x', minLength: 2 }) hosts = ['one'];
      @list({ about: 'x', minLength: 1, secret: true }) keys: string[] = [];
      @list({ about: 'x', minLength: 1, of: Inner }) inners: Inner[] = [];
      @list({ about: 'x', minLength: 1 }) optional?: string[];
    }
    const { mistakes } = await refusal(Hosts, {});
    expect(mistakes.map(({ key, source, found, right }) => [key, source, found, right])).toEqual([
      ['one.hosts', 'default in code', '["one"]', 'a list of 2 or more'],
      ['one.keys', 'default in code', '*** (a secret, given as a list)', 'a list of 1 or more'],
      ['one.inners', 'default in code', '[]', 'a list of 1 or more'],
    ]);
    const given = { hosts: ['a', 'b'], keys: ['c'], inners: [{ pin: '1' }] };
    expect(await load(Hosts, { values: { one: given } })).toMatchObject({ hosts: ['a', 'b'], keys: ['c'] });
  });

  it('out of bounds means that a value has to be given', async () => {
    const { mistakes } = await refusal(Needy, {});
    expect(mistakes.map(({ key, source, found, right }) => [key, source, found, right])).toEqual([
      ['one.url', 'default in code', '""', 'the address of the server'],
      ['one.port', 'default in code', '0', 'a whole number, 1 or more'],
      ['one.pin', 'default in code', '*** (a secret, given as text)', 'text, 1 or more characters'],
    ]);
    expect(await load(Needy, { values: { one: { url: 'x', port: 1, pin: 'y' } } })).toEqual({
      url: 'x',
      port: 1,
      pin: 'y',
    });
  });
});

describe('an object', () => {
  it('that was not bound, by name and class, is refused as wrong use', () => {
    const bound = readConfiguration({ env: { enabled: false } }).bind([{ name: 'one', type: One }]);
    expect(() => bound.fill('two', new One())).toThrow(InvalidArgumentError);
    expect(() => bound.fill('one', {})).toThrow(InvalidArgumentError);
  });
});
