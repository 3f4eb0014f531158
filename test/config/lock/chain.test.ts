import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Chain, type Link } from '../../../src/config/lock/chain.js';

class One implements Link<One> {
  previous: One | undefined;
  next: One | undefined;

  constructor(readonly name: number) {}
}

describe('a chain', () => {
  it('has, in their order, those that were put in and not taken out, and keeps nobody else, whatever comes in between', () => {
    const step = fc.record({ put: fc.boolean(), name: fc.nat(5) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const all = Array.from({ length: 6 }, (_, name) => new One(name));
        const chain = new Chain<One>();
        const expected: One[] = [];
        for (const { put, name } of steps) {
          const one = all[name]!;
          const stands = expected.includes(one);
          expect(put ? chain.push(one) : chain.remove(one)).toBe(put !== stands);
          if (put && !stands) expected.push(one);
          if (!put && stands) expected.splice(expected.indexOf(one), 1);
          expect([...chain]).toEqual(expected);
          expect([chain.head, chain.tail]).toEqual([expected[0], expected.at(-1)]);
          for (const [at, link] of expected.entries()) {
            expect(link.previous).toBe(expected[at - 1]);
            expect(link.next).toBe(expected[at + 1]);
          }
          expect(all.filter((other) => chain.has(other))).toEqual(all.filter((other) => expected.includes(other)));
        }
      }),
    );
  });

  it('knows nothing any more of one that has left', () => {
    const chain = new Chain<One>();
    const three = [new One(0), new One(1), new One(2)];
    for (const one of three) chain.push(one);
    chain.remove(three[1]!);
    expect(three[1]).toMatchObject({ previous: undefined, next: undefined });
    expect([...chain]).toEqual([three[0], three[2]]);
  });
});
