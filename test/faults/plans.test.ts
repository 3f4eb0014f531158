import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { PROJECT } from '../support/child.js';
import { PLANS, plansOf } from './plans.js';
import { broken, VARIANTS } from './variants.js';

it('every plan is described', () => {
  const readme = readFileSync(join(PROJECT, 'test/faults/README.md'), 'utf8');
  const [, onRedis = '', inMemory = ''] = /On `redis`:([^]*)On `go_cache`([^]*)## Broken/.exec(readme) ?? [];
  const missing = PLANS.filter(({ provider, name }) => {
    return !(provider === 'redis' ? onRedis : inMemory).includes(`\`${name}\``);
  });
  expect(missing.map(({ name }) => name)).toEqual([]);
});

it('a plan is named once for each provider', () => {
  const names = PLANS.map(({ provider, name }) => `${provider} ${name}`);
  expect(new Set(names).size).toBe(names.length);
});

it.each(VARIANTS.map((variant) => [variant.name, variant] as const))('the variant %s fits the source', (_, variant) => {
  const folder = mkdtempSync(join(tmpdir(), 'mcube-lock-variants-'));
  try {
    expect(() => broken(join(PROJECT, 'dist'), variant, folder)).not.toThrow();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('every variant is to be noticed in a plan that there is, by a check of the oracle', () => {
  for (const { provider, plan, checks } of VARIANTS) {
    expect(plansOf(provider, plan)).toHaveLength(1);
    expect(['exclusion', 'fences', 'register', 'liveness', 'answers', 'leftovers', 'errors', 'ends']).toEqual(
      expect.arrayContaining([...checks]),
    );
  }
});
