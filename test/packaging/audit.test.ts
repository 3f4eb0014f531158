import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { lockFileMistakes, readAudit } from '../../scripts/audit.js';
import { PROJECT } from '../support/child.js';

const good = {
  version: '1.0.0',
  integrity: `sha512-${'A'.repeat(86)}==`,
  license: 'MIT',
};
const mistakes = (entry: object, place = 'node_modules/a', lockfileVersion = 3): string[] =>
  lockFileMistakes({ lockfileVersion, packages: { '': {}, [place]: { ...good, ...entry } } });

describe('the audit of a lock file', () => {
  it('finds nothing in that of this project', () => {
    const text = readFileSync(join(PROJECT, 'package-lock.json'), 'utf8');
    expect(lockFileMistakes(JSON.parse(text) as Parameters<typeof lockFileMistakes>[0])).toEqual([]);
  });

  it.each([
    ['a package of the registry', {}],
    ['one with its address', { resolved: 'https://registry.npmjs.org/@scope/a/-/a-1.0.0.tgz' }],
    ['a tool that builds itself', { dev: true, hasInstallScript: true }],
    ['a tool under another licence', { dev: true, license: 'GPL-3.0' }],
    ['a choice of licences', { license: '(GPL-2.0 OR MIT)' }],
    ['two licences', { license: 'MIT AND Apache-2.0' }],
  ])('takes %s', (_, entry) => {
    expect(mistakes(entry)).toEqual([]);
  });

  it.each([
    ['no hash', { integrity: undefined }, /integrity/],
    ['a weak hash', { integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, /integrity/],
    ['a hash of nothing', { integrity: 'sha512-' }, /integrity/],
    ['a repository', { resolved: 'git+ssh://git@github.com/a/a.git#0123' }, /comes from "git/],
    ['a repository by https', { resolved: 'git+https://github.com/a/a.git#0123' }, /comes from/],
    ['http', { resolved: 'http://registry.npmjs.org/a/-/a-1.0.0.tgz' }, /comes from "http:/],
    ['a file', { resolved: 'file:../a.tgz' }, /comes from "file/],
    ['an archive that is no package', { resolved: 'https://example.org/a.tgz' }, /comes from/],
    ['an address with a password', { resolved: 'https://me:hunter2@example.org/a/-/a-1.0.0.tgz' }, /comes from/],
    ['no text', { resolved: true }, /comes from/],
    ['a link', { link: true }, /folder of this machine/],
    ['an install script', { hasInstallScript: true }, /runs a script/],
    ['an optional one with an install script', { optional: true, devOptional: true, hasInstallScript: true }, /runs/],
    ['another licence', { license: 'GPL-3.0-only' }, /GPL-3.0-only/],
    ['one licence more', { license: 'MIT AND SSPL-1.0' }, /SSPL/],
    ['no licence', { license: undefined }, /no licence/],
  ])('refuses %s', (_, entry, told) => {
    const found = mistakes(entry);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^node_modules\/a: /);
    expect(found[0]).toMatch(told);
  });

  it('refuses a folder of the project, and what is no lock file of today', () => {
    expect(mistakes({}, 'packages/a')).toEqual([expect.stringMatching(/^packages\/a: a folder/)]);
    expect(mistakes({}, 'node_modules/a', 1)).toHaveLength(1);
    expect(lockFileMistakes({})).toHaveLength(1);
  });
});

describe('the answer of npm audit', () => {
  const finding = (severity: string) => ({ severity, range: '<2.0.0', via: [{ title: 'is bad' }, 'other'] });

  it.each([
    ['info', 0],
    ['low', 0],
    ['moderate', 1],
    ['high', 1],
    ['critical', 1],
    ['a new word', 1],
  ])('a finding of severity %s is refused %i times, and told in any case', (severity, times) => {
    const { audited, refused, noted } = readAudit(JSON.stringify({ vulnerabilities: { a: finding(severity) } }));
    expect([audited, refused.length, noted.length]).toEqual([true, times, 1 - times]);
    expect([...refused, ...noted]).toEqual([`a <2.0.0: ${severity}: is bad; by other`]);
  });

  it('no finding is said to be none', () => {
    expect(readAudit('{"vulnerabilities":{}}')).toEqual({ audited: true, refused: [], noted: [], why: '' });
  });

  it.each([
    ['{"message":"405 Method Not Allowed - POST https://x/y","statusCode":405,"error":{"summary":""}}', '405 Method'],
    ['{"error":{"code":"ENOTFOUND","summary":"request to https://x failed"}}', 'request to'],
  ])('a registry without the service is not taken for one without findings: %s', (output, why) => {
    const answer = readAudit(output);
    expect(answer).toMatchObject({ audited: false, refused: [], noted: [] });
    expect(answer.why).toContain(why);
  });

  it.each(['', 'Segmentation fault', '{}', '{"error":{"code":"ENOLOCK","summary":"needs a lock file"}}'])(
    'what went wrong is refused: %j',
    (output) => {
      expect(readAudit(output)).toMatchObject({ audited: false, refused: [expect.stringMatching(/^npm audit: /)] });
    },
  );
});
