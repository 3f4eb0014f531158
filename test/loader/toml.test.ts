import { describe, expect, it } from '@jest/globals';
import toml from '@iarna/toml';
import fc from 'fast-check';
import { integer, list, text } from '../../src/loader/index.js';
import { Scan } from '../../src/loader/scan.js';
import { refusal } from './given.js';

class Node {
  @integer({ about: 'x', min: 1 }) weight = 1;
}

class One {
  @text({ about: 'x' }) name = '';
  @list({ about: 'x', of: Node }) nodes: Node[] = [];
}

const sources = async (content: string) =>
  (await refusal(One, { files: { 'a.toml': content } })).mistakes.map(({ key, source }) => `${key} ${source}`);

describe('the line of a key', () => {
  it.each<[string, string, string[]]>([
    ['below its table', '# first\n\n[one]\n  name = 5', ['one.name a.toml:4']],
    ['dotted at the top', 'one.name = 5', ['one.name a.toml:1']],
    ['in an inline table', '\none = { name = 5 }', ['one.name a.toml:2']],
    ['in quotes', '["one"]\n\'name\' = 5', ['one.name a.toml:2']],
    ['written with escapes', '[one]\n"n\\u0061me" = 5', ['one.name a.toml:2']],
    ['with blanks around dots', '[ one ]\n\none . name = 5\nname = 6', ['one.name a.toml:4', 'one.one a.toml:3']],
    ['behind a multi-line string', '[x]\ntext = """\n[one]\nname = 1\n"""\n[one]\nname = 5', ['one.name a.toml:7']],
    ['behind a literal one', "[x]\ntext = '''\n[one]\nname = 1'''\n[one]\nname = 5", ['one.name a.toml:6']],
    ['behind quotes in quotes', '[x]\nt = """a \\""" b""""\n[one]\nname = 5', ['one.name a.toml:4']],
    [
      'behind a list over lines',
      '[x]\nl = [ # ]\n  "]",\n  [1],\n  { a = "]" },\n]\n[one]\nname = 5',
      ['one.name a.toml:8'],
    ],
    ['behind a comment', '#[one]\n[one] # "\nname = 5 # """', ['one.name a.toml:3']],
    ['in the second table of a list', '[[one.nodes]]\n[[one.nodes]]\nweight = 0', ['one.nodes[1].weight a.toml:3']],
    ['in a list of inline tables', '[one]\nnodes = [\n {},\n {weight = 0}]', ['one.nodes[1].weight a.toml:2']],
    ['of a header', '\n[one.name]\nx = 1', ['one.name a.toml:2']],
  ])('%s is found', async (_, content, expected) => {
    expect((await sources(content)).sort()).toEqual(expected.sort());
  });

  it('is that of its value in any file that the parser takes', () => {
    const key = fc.stringMatching(/^[a-z]{1,4}$/);
    const value = fc.oneof(
      fc.integer(),
      fc.boolean(),
      fc.string(),
      fc.constantFrom(
        '"""\n[a]\nb = 1\n"""',
        "'''\n# x\n'''",
        '[\n1, # ]\n2,\n]',
        '{ a = { b = "}" } }',
        '1979-05-27T07:32:00Z',
      ),
    );
    const entry = fc.record({ key, value, gap: fc.constantFrom('', '\n', '# = [\n', '\n\n') });
    const tables = fc.uniqueArray(
      fc.record({ name: key, entries: fc.uniqueArray(entry, { selector: ({ key }) => key }) }),
      {
        selector: ({ name }) => name,
      },
    );
    fc.assert(
      fc.property(tables, (all) => {
        const written = all.map(({ name, entries }) => `[${name}]\n${entries.map(line).join('')}`).join('');
        toml.parse(written);
        const lines = written.split('\n');
        const statements = new Scan(written).statements.filter(({ path }) => path.length === 2);
        const keys = all.flatMap(({ name, entries }) => entries.map((one) => [name, one.key]));
        expect(statements.map(({ path }) => path)).toEqual(keys);
        for (const statement of statements)
          expect(lines[statement.line - 1]).toMatch(new RegExp(`^${statement.path[1]} = `));
      }),
    );
  });
});

describe('broken TOML', () => {
  it.each<[string, string, string]>([
    ['[one]\nname = "abc', 'a.toml:2:12', 'Unterminated string'],
    ['[one]\nname "abc"', 'a.toml:2:', 'expected "="'],
    ['[one\nname = 1', 'a.toml:1:5', 'Unexpected character'],
    ['[one]\nname = 1\nname = 2\n', 'a.toml:3:9', "Can't redefine existing key"],
    ['[one]\n[one]\n', 'a.toml:2:5', "Can't redefine existing key"],
    ['[one]\nname = yes', 'a.toml:2:8', 'Unexpected character'],
    ['name = [1,', 'a.toml:1:', 'Unterminated'],
    ['= 1', 'a.toml:1:1', 'Unknown character'],
  ])('%p is told with line, column and reason', async (content, place, reason) => {
    const { mistakes } = await refusal(One, { files: { 'a.toml': content } });
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]?.source).toContain(place);
    expect(mistakes[0]?.found).toContain(reason);
  });

  it('shows its line up to the equals sign', async () => {
    const { message } = await refusal(One, { files: { 'a.toml': '[one]\nname = "abc\n' } });
    expect(message).toBe(
      'configuration refused: a.toml:2:12: found broken TOML (Unterminated string), in `name = …`, expected TOML',
    );
  });

  it('ends in a refusal whatever the text is', async () => {
    const pieces = fc.constantFrom(
      '[',
      ']',
      '{',
      '}',
      '"',
      "'",
      '"""',
      "'''",
      '=',
      '.',
      ',',
      '#',
      '\n',
      '\\',
      'a',
      '1',
      ' ',
      '\0',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        expect(() => new Scan(parts.join(''))).not.toThrow();
      }),
      { numRuns: 2_000 },
    );
    const deep = await refusal(One, { files: { 'a.toml': `a = ${'['.repeat(100_000)}` } });
    expect(deep.mistakes[0]?.found).toContain('broken TOML');
  });
});

describe('keys that every object inherits', () => {
  it('are keys like others, wherever they stand', async () => {
    const names = Object.getOwnPropertyNames(Object.prototype);
    const before = snapshot();
    const content = names
      .map(
        (name) =>
          `["${name}"]\nx = 1\n[one.${name}]\nx = 1\n[p.${name}.q]\nx = 1\n[two.${name}s]\n${name}.x = 1\nv = { ${name}.x = 1 }\n`,
      )
      .join('');
    const { mistakes } = await refusal(One, { files: { 'a.toml': content } });
    expect(mistakes.map(({ key }) => key)).toEqual(names.map((name) => `one.${name}`));
    expect(snapshot()).toEqual(before);
  });
});

function snapshot(): unknown {
  const all = [
    Object,
    Object.prototype,
    ...Object.getOwnPropertyNames(Object.prototype).map((name) => Reflect.get({}, name)),
  ];
  return all.filter((one) => one !== null && one !== undefined).map((one) => Reflect.ownKeys(Object(one)).length);
}

function line({ key, value, gap }: { key: string; value: unknown; gap: string }): string {
  const isCode = typeof value === 'string' && /^("""|'''|\[\n|\{ a|1979)/.test(value);
  return `${gap}${key} = ${isCode ? value : typeof value === 'string' ? JSON.stringify(value) : String(value)}\n`;
}
