import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { InvalidArgumentError } from '../../src/errors.js';
import { checkVersion, compareVersions } from '../../src/ioc/version.js';

const numbers = fc.array(fc.nat(), { minLength: 1, maxLength: 5 });
const version = numbers.map((parts) => `v${parts.join('.')}`);

describe('versions', () => {
  it('are ordered by their numbers', () => {
    const ordered = ['v0', 'v0.9', 'v1', 'v1.2.0', 'v1.10', 'v1.10.0.1', 'v2', 'v10', 'v20240131235959999999'];
    expect([...ordered].reverse().sort(compareVersions)).toEqual(ordered);
  });

  it('are equal when only zeros are left out', () => {
    expect(compareVersions('v1', 'v1.0.0')).toBe(0);
    expect(compareVersions('v1.2', 'v1.2.0')).toBe(0);
    expect(compareVersions('v01', 'v1')).toBe(0);
  });

  it('have one order, whatever is compared with what', () => {
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b))).toBe(-Math.sign(compareVersions(b, a)) + 0);
        expect(compareVersions(a, a)).toBe(0);
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) {
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
        }
      }),
    );
  });

  it('grow with the first number that differs, however much follows', () => {
    fc.assert(
      fc.property(numbers, fc.nat(), numbers, numbers, (same, step, tail, other) => {
        const low = `v${[...same, step, ...tail].join('.')}`;
        const high = `v${[...same, step + 1, ...other].join('.')}`;
        expect(compareVersions(low, high)).toBeLessThan(0);
      }),
    );
  });

  it.each(['', 'v', '1', '1.0', 'v1.', 'v.1', 'v1..2', 'v-1', 'v1.x', 'latest', 'v1 ', ' v1', 'V1', 'v1\n', 1, null])(
    'that are garbage are refused: %p',
    (garbage) => {
      expect(() => checkVersion('version', garbage)).toThrow(InvalidArgumentError);
      expect(() => compareVersions('v1', garbage as string)).toThrow(/version: found .*, expected v and numbers/);
    },
  );
});
