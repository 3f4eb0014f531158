import { describe, expect, it } from '@jest/globals';
import { InvalidArgumentError } from '../../src/errors.js';
import {
  choice,
  duration,
  envName,
  fieldsOf,
  flag,
  integer,
  list,
  number,
  table,
  text,
} from '../../src/loader/index.js';

class Pool {
  @integer({ about: 'Most connections.', min: 1 }) maxSize = 3;
}

class Base {
  @text({ about: 'Where it is.', minLength: 1 }) url = 'x';
}

class Whole extends Base {
  @number({ about: 'How much.', min: 0, max: 1 }) share = 0.5;
  @flag({ about: 'Whether.' }) isOn = false;
  @choice(['a', 'b'], { about: 'Which.' }) kind = 'a';
  @duration({ about: 'How long.', least: 1_000, none: true }) maxWait: number | undefined = undefined;
  @list({ about: 'Which ones.', of: 'integer', minLength: 1 }) ports = [1];
  @table(Pool, { about: 'Connections.' }) pool = new Pool();
  @list({ about: 'Several.', of: Pool }) pools: Pool[] = [];
  @text({ about: 'Hush.', secret: true, name: 'pass-phrase' }) secret = '';
}

describe('declared fields', () => {
  it('are known with key, kind, sentence and limits, those of the base first', () => {
    const rows = fieldsOf(Whole).map(({ property, key, kind, bounds }) => [property, key, kind, bounds]);
    expect(rows).toEqual([
      ['url', 'url', 'text', '1 or more characters'],
      ['share', 'share', 'number', '0 to 1'],
      ['isOn', 'is_on', 'flag', ''],
      ['kind', 'kind', 'choice', '"a" or "b"'],
      ['maxWait', 'max_wait', 'duration', '1s or more, or "none"'],
      ['ports', 'ports', 'list of integer', '1 or more'],
      ['pool', 'pool', 'table', ''],
      ['pools', 'pools', 'list of table', ''],
      ['secret', 'pass-phrase', 'text', ''],
    ]);
  });

  it('tell the fields of the tables inside', () => {
    const inside = fieldsOf(Whole).filter(({ fields }) => fields.length > 0);
    expect(inside.map(({ key, fields }) => [key, fields[0]?.key])).toEqual([
      ['pool', 'max_size'],
      ['pools', 'max_size'],
    ]);
  });

  it('can be declared by hand, as JavaScript does', () => {
    class Plain {
      tlsCAFile = '';
    }
    text({ about: 'A file.' })(Plain.prototype, 'tlsCAFile');
    expect(fieldsOf(Plain)).toMatchObject([
      { property: 'tlsCAFile', key: 'tls_ca_file', about: 'A file.', secret: false },
    ]);
  });

  it('of a class that extends another leave the other as it is, and may replace its fields', () => {
    class Narrow extends Base {
      @text({ about: 'Where it is, narrowly.', maxLength: 3 }) override url = 'y';
    }
    expect(fieldsOf(Narrow)).toMatchObject([{ about: 'Where it is, narrowly.', bounds: 'at most 3 characters' }]);
    expect(fieldsOf(Base)).toMatchObject([{ about: 'Where it is.' }]);
    expect(fieldsOf(class {})).toEqual([]);
  });

  it('ask for the words of a choice each time', () => {
    const words = ['a'];
    class Open {
      @choice(() => words, { about: 'Which.' }) kind = 'a';
    }
    words.push('b');
    expect(fieldsOf(Open)[0]?.bounds).toBe('"a" or "b"');
  });
});

describe('a wrong declaration', () => {
  const about = 'x';
  const wrong: [string, () => unknown, string][] = [
    ['no options', () => text(undefined as never), 'about'],
    ['no sentence', () => text({} as never), 'about'],
    ['an empty sentence', () => flag({ about: ' ' }), 'about'],
    ['an unknown option', () => integer({ about, least: 1 } as never), 'least'],
    ['an inherited word as an option', () => flag({ about, constructor: 1 } as never), 'constructor'],
    ['a limit that is no number', () => number({ about, min: '1' as never }), 'min'],
    ['a fraction as a limit of whole numbers', () => integer({ about, max: 1.5 }), 'max'],
    ['limits the wrong way round', () => integer({ about, min: 2, max: 1 }), 'min'],
    ['lengths the wrong way round', () => text({ about, minLength: 2, maxLength: 1 }), 'minLength'],
    ['a pattern that is text', () => text({ about, pattern: '^a' as never }), 'pattern'],
    ['a secret that is no flag', () => text({ about, secret: 'yes' as never }), 'secret'],
    ['a choice without words', () => choice([], { about }), 'words'],
    ['a choice of numbers', () => choice([1] as never, { about }), 'words'],
    ['a least duration as text', () => duration({ about, least: '1s' as never }), 'least'],
    ['a list of an unknown kind', () => list({ about, of: 'date' as never }), 'of'],
    ['a list of an inherited word', () => list({ about, of: 'toString' as never }), 'of'],
    ['a list of a class without fields', () => list({ about, of: class {} }), 'list of'],
    ['a table of a class without fields', () => table(class {}, { about }), 'table'],
    ['a key that is no TOML key', () => text({ about, name: 'a.b' })({}, 'x'), 'x'],
    ['a property that makes no key', () => text({ about })({}, '_x'), '_x'],
    ['a symbol', () => text({ about })({}, Symbol('x')), '@text'],
    ['a static field', () => text({ about })(class {}, 'x'), '@text'],
    [
      'a decorator of the standard kind',
      () => text({ about })(undefined as never, { kind: 'field' } as never),
      '@text',
    ],
  ];
  it.each(wrong)('with %s is refused', (_, declare, named) => {
    expect(declare).toThrow(InvalidArgumentError);
    expect(declare).toThrow(named);
  });

  it('of two fields under one key, or one name of the environment, is refused', () => {
    const twice = () => {
      class Twice {
        @text({ about }) maxSize = '';
        @text({ about, name: 'max_size' }) other = '';
      }
      return Twice;
    };
    const sameName = () => {
      class Same {
        @table(Pool, { about }) pool = new Pool();
        @integer({ about }) poolMaxSize = 1;
      }
      return Same;
    };
    const both = () => {
      class Both {
        @text({ about }) @flag({ about }) one = '';
      }
      return Both;
    };
    expect(twice).toThrow('apart from that of maxSize');
    expect(sameName).toThrow('apart from that of pool');
    expect(both).toThrow('a second decorator');
  });
});

describe('names in the environment', () => {
  it.each([
    ['go_cache', 'size', undefined, 'GO_CACHE_SIZE'],
    ['go_cache', 'size', 'APP', 'APP_GO_CACHE_SIZE'],
    ['go_cache', 'size', 'app_', 'APP_GO_CACHE_SIZE'],
    ['redis', 'pool.max_size', '', 'REDIS_POOL_MAX_SIZE'],
    ['my-part', 'pass-phrase', undefined, 'MY_PART_PASS_PHRASE'],
  ])('of %s and %s with prefix %s is %s', (component, key, prefix, name) => {
    expect(envName(component, key, prefix)).toBe(name);
  });
});
