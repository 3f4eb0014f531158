import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { BROKEN } from './broken/promises.js';

describe('the table of broken promises, which npm run test:broken goes through', () => {
  it.each(BROKEN.map((broken) => [broken.promise, broken] as const))('still fits the source: %s', (_, broken) => {
    const pieces = readFileSync(broken.file, 'utf8').split(broken.from);
    expect(pieces).toHaveLength(2);
    for (const file of broken.tests) expect(readFileSync(file, 'utf8')).toMatch(/\bit(\.|\()|keepsLockPromises/);
  });

  it('names each promise once', () => {
    const names = BROKEN.map(({ promise }) => promise);
    expect(new Set(names).size).toBe(names.length);
  });
});
