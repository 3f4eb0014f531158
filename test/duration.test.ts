import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { durationText, LONGEST, milliseconds, rightDuration } from '../src/duration.js';
import { InvalidArgumentError } from '../src/errors.js';

const anyLength = fc.integer({ min: 0, max: LONGEST });

/** The length of text as Go's nanoseconds give it: exact, in whole numbers alone. */
function exactly(parts: readonly Part[]): { text: string; nanoseconds: bigint } {
  const text = parts.map(({ whole, fraction, unit }) => `${whole}${fraction && `.${fraction}`}${unit}`).join('');
  const nanoseconds = parts.reduce((sum, part) => sum + exactPart(part), 0n);
  return { text, nanoseconds };
}

interface Part {
  readonly whole: number;
  readonly fraction: string;
  readonly unit: string;
}

const NANOSECONDS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

function exactPart({ whole, fraction, unit }: Part): bigint {
  const size = NANOSECONDS[unit] ?? 0n;
  return BigInt(whole) * size + (BigInt(fraction || '0') * size) / 10n ** BigInt(fraction.length);
}

describe('milliseconds', () => {
  it('takes a number as it is', () => {
    fc.assert(fc.property(anyLength, (ms) => milliseconds('ttl', ms) === ms));
  });

  it.each([
    ['0', 0],
    ['0s', 0],
    ['500ms', 500],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['.5s', 500],
    ['1.s', 1_000],
    ['0.1s0.2s', 300],
    ['1s1s', 2_000],
    ['30s1m', 90_000],
    ['1000us', 1],
    ['1000µs', 1],
    ['1000μs', 1],
    ['1000000ns', 1],
    ['0.001001s999us', 2],
    ['87600h', LONGEST],
  ])('reads %j as Go does', (text, ms) => {
    expect(milliseconds('ttl', text)).toBe(ms);
  });

  it('reads hours, minutes and seconds in any amounts', () => {
    const amount = fc.integer({ min: 0, max: 20_000 });
    fc.assert(
      fc.property(amount, amount, amount, amount, (h, m, s, ms) => {
        expect(milliseconds('ttl', `${h}h${m}m${s}s${ms}ms`)).toBe(h * 3_600_000 + m * 60_000 + s * 1_000 + ms);
      }),
    );
  });

  const whole = fc.integer({ min: 0, max: 20_000 });
  const fraction = fc.stringMatching(/^[0-9]{0,3}$/);
  const part: fc.Arbitrary<Part> = fc.oneof(
    fc.record({ whole, fraction, unit: fc.constantFrom('us', 'µs', 'ms', 's', 'm', 'h') }),
    fc.record({ whole, fraction: fc.constant(''), unit: fc.constant('ns') }),
  );

  it('reads fractions to the exact millisecond, and refuses those of a millisecond', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
        const { text, nanoseconds } = exactly(parts);
        if (nanoseconds % 1_000_000n === 0n) expect(milliseconds('ttl', text)).toBe(Number(nanoseconds / 1_000_000n));
        else expect(() => milliseconds('ttl', text)).toThrow(InvalidArgumentError);
      }),
      { numRuns: 1_000 },
    );
  });

  // A sum in floating point would be off.
  it.each([
    ['256.1h', 921_960_000],
    ['1050531.971s', 1_050_531_971],
  ])('reads %j, large and with a fraction, as Go does', (text, ms) => {
    expect(milliseconds('ttl', text)).toBe(ms);
  });

  it.each([
    [
      'text that is no duration',
      ['', ' ', 'soon', '10', '10 s', ' 10s', '10s ', '10S', '1d', '.s', '1..5s', '1e3s', '١s'],
    ],
    ['text with something after a duration', ['10s!', '10s5', '1m-30s', '10s\n', '10s\0']],
    ['a length below nothing', [-1, -0.5, '-1s', -Infinity]],
    ['a fraction of a millisecond', [0.5, 1.000_001, '1us', '1ns', '1.5ms', '0.0001s']],
    ['a number that counts nothing', [NaN, Infinity]],
    ['more than ten years', [LONGEST + 1, Number.MAX_SAFE_INTEGER, 1e300, '87600h1ms', '9'.repeat(400) + 'h']],
    [
      'what is neither number nor text',
      [undefined, null, true, 10n, {}, [], [10], new Date(0), () => 10, Symbol('10s')],
    ],
  ])('refuses %s', (_kind, values) => {
    for (const value of values) expect(() => milliseconds('ttl', value)).toThrow(InvalidArgumentError);
  });

  it('refuses whatever text it does not understand with its own error alone', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'0123456789.smhnuµ+-') })), (text) => {
        try {
          expect(Number.isInteger(milliseconds('ttl', text))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidArgumentError);
        }
      }),
    );
  });

  it('refuses a megabyte of digits, or of units, at once', () => {
    const start = performance.now();
    for (const text of ['1'.repeat(1e6), `${'1'.repeat(1e6)}.`, '1.'.repeat(5e5), '0s'.repeat(5e5) + '!']) {
      expect(() => milliseconds('ttl', text)).toThrow(InvalidArgumentError);
    }
    expect(performance.now() - start).toBeLessThan(10_000);
  });

  it('refuses less than the least, and names the argument, what was found and what would be right', () => {
    expect(milliseconds('ttl', 1, 1)).toBe(1);
    expect(() => milliseconds('ttl', 0, 1)).toThrow(`ttl: found 0, expected ${rightDuration(1)}`);
    expect(() => milliseconds('wait', 'soon')).toThrow(`wait: found "soon", expected ${rightDuration()}`);
    expect(rightDuration(1)).toContain('from 1 to ten years');
  });
});

describe('durationText', () => {
  it.each([
    [1, '1ms'],
    [999, '999ms'],
    [1_000, '1s'],
    [1_500, '1.5s'],
    [1_001, '1.001s'],
    [60_000, '1m0s'],
    [90_000, '1m30s'],
    [3_600_000, '1h0m0s'],
    [3_600_001, '1h0m0.001s'],
    [LONGEST, '87600h0m0s'],
  ])('writes %d as Go does: %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });

  it('writes nothing at all as Go does: 0s', () => {
    expect(durationText(0)).toBe('0s');
  });

  it('writes what milliseconds reads back as the same length', () => {
    fc.assert(fc.property(anyLength, (ms) => milliseconds('ttl', durationText(ms)) === ms));
    fc.assert(fc.property(fc.integer({ min: 0, max: 100_000 }), (ms) => milliseconds('ttl', durationText(ms)) === ms));
  });
});
