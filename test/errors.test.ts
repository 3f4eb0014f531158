import { readdirSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import * as mcube from 'mcube-lock';
import { InvalidArgumentError, IocError, NotReadyError, show } from '../src/errors.js';

class BrokenError extends IocError {
  readonly code = 'ERR_BROKEN';
}

it('every error class of a component is one of the package, too', () => {
  for (const component of [mcube.lock, mcube.ioc, mcube.redis, mcube.goCache]) {
    for (const [name, value] of Object.entries(component)) {
      if (name.endsWith('Error')) expect(mcube).toHaveProperty(name, value);
    }
  }
  expect(mcube.LockDeadlockError).toBe(mcube.lock.LockDeadlockError);
});

it('every error class that a page names is where it says', () => {
  const docs = new URL('../docs/', import.meta.url);
  const named = readdirSync(docs)
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) => [
      ...readFileSync(new URL(name, docs), 'utf8').matchAll(/`(ioc|lock|redis|goCache)\.(\w+Error)`/g),
    ]);
  expect(named.length).toBeGreaterThan(0);
  for (const [, component, name] of named) expect(mcube).toHaveProperty([component!, name!]);
});

it.each([
  ['redis://:s3cret@db.example:6379', '"***@db.example:6379"'],
  ['redis://user:s3cret@h/0?token=s3cret', '"***@h/0?***"'],
  ['redis://:s3cret', '"redis://***"'],
  ['redis://user:s3cr', '"redis://***"'],
  ['user:s3cret@h', '"***@h"'],
  ['redis://h:6379/0', '"redis://h:6379/0"'],
  ['redis://h?password=s3cret', '"redis://h?***"'],
  ['me@example.com', '"me@example.com"'],
])('a message does not show the credentials of %j', (text, shown) => {
  expect(show(text)).toBe(shown);
  expect(new InvalidArgumentError('client', text, 'a client').message).toContain(shown);
});

function breakHere(): never {
  throw new BrokenError('it broke');
}

describe('IocError', () => {
  it('is an Error that carries its class name, code and message', () => {
    const error = new BrokenError('it broke');
    expect(error).toBeInstanceOf(IocError);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'BrokenError', code: 'ERR_BROKEN', message: 'it broke' });
    expect(String(error)).toBe('BrokenError: it broke');
  });

  it('carries the error that led to it, and has no cause when none did', () => {
    const cause = new Error('first');
    expect(new BrokenError('it broke', { cause }).cause).toBe(cause);
    expect(new BrokenError('it broke', { cause: null }).cause).toBeNull();
    expect('cause' in new BrokenError('it broke')).toBe(false);
    expect('cause' in new BrokenError('it broke', { cause: undefined })).toBe(false);
  });

  it('has a stack trace that starts with its name and the line that made it', () => {
    const caught = ((): unknown => {
      try {
        return breakHere();
      } catch (error) {
        return error;
      }
    })() as BrokenError;
    const [title, first] = caught.stack?.split('\n') ?? [];
    expect(title).toBe('BrokenError: it broke');
    expect(first).toContain('breakHere');
    expect(inspect(caught)).toContain("code: 'ERR_BROKEN'");
  });
});

describe('the errors of wrong use', () => {
  it('tell an argument, what was found and what would be right', () => {
    const error = new InvalidArgumentError('key', '', 'text of 1 to 1024 characters');
    expect(error.message).toBe('key: found "", expected text of 1 to 1024 characters');
    expect(error).toMatchObject({ name: 'InvalidArgumentError', code: 'ERR_INVALID_ARGUMENT', argument: 'key' });
  });

  it('have codes that programs can rely on', () => {
    expect(new InvalidArgumentError('key', 1, 'text').code).toBe('ERR_INVALID_ARGUMENT');
    expect(new NotReadyError('call setup() first').code).toBe('ERR_NOT_READY');
  });
});

describe('show', () => {
  it.each([
    ['text', 'text', '"text"'],
    ['text with quotes and line ends', 'a"b\nc', '"a\\"b\\nc"'],
    ['a number', 1.5, '1.5'],
    ['no number', NaN, 'NaN'],
    ['a bigint', 12n, '12n'],
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a boolean', false, 'false'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['a function', (): number => 1, 'a function'],
    ['a class', BrokenError, 'a function'],
    ['an array', [1, 2], 'an array of 2'],
    ['an object', { a: 1 }, 'an object'],
    ['an instance', new Date(0), 'an object'],
    ['an object without a class', Object.create(null), 'an object'],
  ])('makes the kind of %s visible', (_kind, value, text) => {
    expect(show(value)).toBe(text);
  });

  it('cuts long text at 60 characters and tells how long it was', () => {
    expect(show('x'.repeat(60))).toBe(`"${'x'.repeat(60)}"`);
    expect(show('x'.repeat(61))).toBe(`"${'x'.repeat(60)}… (61 characters)"`);
  });

  it('stays on one short line whatever the text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
        expect(show(text)).not.toMatch(/[\n\r]/);
        expect(show(text).length).toBeLessThan(500);
      }),
    );
  });

  it('never shows what an object or an array holds', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Z]{12}$/), (secret) => {
        for (const value of [{ secret }, [secret], new Map([[secret, secret]]), new Error(secret), () => secret]) {
          expect(show(value)).not.toContain(secret);
        }
      }),
    );
  });

  it('shows plain data of any shape without failing', () => {
    const plain = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
    });
    fc.assert(fc.property(plain, (value) => typeof show(value) === 'string'));
  });

  it('keeps a symbol or a bigint short as well', () => {
    expect(show(Symbol('x'.repeat(1_000))).length).toBeLessThan(200);
    expect(show(10n ** 1_000n).length).toBeLessThan(200);
  });

  it("shows an object whose `constructor` is data, which is not its class's name", () => {
    expect(show(JSON.parse('{"constructor":{"name":"sEcReT"}}'))).not.toContain('sEcReT');
  });

  it('shows an object whose properties cannot be read', () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('hands off');
        },
      },
    );
    expect(show(hostile)).toMatch(/^an object/);
  });
});
