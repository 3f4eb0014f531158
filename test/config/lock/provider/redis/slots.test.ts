import { describe, expect, it } from '@jest/globals';
import librarySlot from 'cluster-key-slot';
import { assert, constantFrom, property, string, array, oneof } from 'fast-check';
import { guardOf, lineOf, slot } from '../../../../../src/config/lock/provider/redis/slots.js';

const piece = oneof(constantFrom('{', '}', '{}', '}{', '{a}', '{{b}}', 'a:', 'order', '中', '\n', '\0'), string());
const text = array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));

describe('the keys of one lock on a cluster', () => {
  it('share a slot: the key, its line and the guard, whatever braces are in key and prefix', () => {
    assert(
      property(text, text, (keyPrefix, name) => {
        const key = keyPrefix + name;
        const at = slot(key);
        expect(slot(lineOf(key, true))).toBe(at);
        expect(slot(guardOf(keyPrefix, at))).toBe(at);
        // By the guard, which comes first, ioredis chooses the server.
        expect(librarySlot(guardOf(keyPrefix, at))).toBe(at);
      }),
      { numRuns: 2_000 },
    );
  });

  it('have the slot that ioredis finds, too, unless an empty tag misleads it', () => {
    assert(property(text, (key) => /\{\}/.test(key) || expect(slot(key)).toBe(librarySlot(key)) === undefined));
    expect(slot('{}{a}')).not.toBe(librarySlot('{}{a}'));
  });

  it('are never each other, and no two keys share a line', () => {
    assert(
      property(text, text, (one, other) => {
        const lines = [one, other].map((key) => lineOf(key, true));
        expect(lines).not.toContain(one);
        if (one !== other) expect(lines[0]).not.toBe(lines[1]);
      }),
    );
  });

  it('begin as the key does, so that a pattern of the access control list lets them pass, unless a brace is in the way', () => {
    expect(lineOf('order:42', false)).toBe('order:42:~q');
    expect(lineOf('a{b', false)).toBe('a{b:~q');
    expect(lineOf('{user}:1', true)).toBe('{user}:1:~q');
    expect(lineOf('order:42', true)).toMatch(/^order:42:~q\{[a-z0-9]+\}$/);
    expect(lineOf('a}b', true)).toMatch(/^a\}b:~q\{[a-z0-9]+\}$/);
    expect(lineOf('a{b', true)).toMatch(/^\{[a-z0-9]+\}a\{b:~q$/);
    expect(guardOf('app:')).toBe('app:mlk:fence');
    expect(guardOf('app:', 7)).toMatch(/^app:mlk:fence\{[a-z0-9]+\}$/);
    expect(guardOf('{app}:', slot('app'))).toBe('{app}:mlk:fence');
  });

  it('have a guard for each of the 16,384 slots', () => {
    const guards = Array.from({ length: 16_384 }, (_, at) => guardOf('', at));
    expect(new Set(guards).size).toBe(16_384);
    guards.forEach((guard, at) => slot(guard) === at || expect(guard).toBe(`a key of slot ${at}`));
  });
});
