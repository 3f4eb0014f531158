import { describe, expect, it } from '@jest/globals';
import { tempDir, type TempDir } from '../support/temp_dir.js';
import { gaps, inversions, misuses, overlaps, read, type Hold, type Member } from './oracle.js';

const TTL = 100;

/** A hold of a process; it is asked for right before. */
function hold(who: string, from: number, to: number, fence: number, more: Partial<Hold> = {}): Hold {
  return { who, key: 'k', asked: from - 1, from, to, until: to, fence, ours: true, ...more };
}

function member(more: Partial<Member> = {}): Member {
  return { file: '', kind: 'worker', killedAt: Infinity, stops: [], ...more };
}

describe('the oracle on exclusion', () => {
  it('finds two holds of a key at once, however short', () => {
    const [found] = overlaps([hold('a', 0, 10, 1), hold('b', 9.9, 20, 2)], [], TTL);
    expect(found).toMatchObject({ first: { who: 'a' }, second: { who: 'b' } });
    expect(found!.ms).toBeCloseTo(0.1);
  });

  it('finds one behind a short hold that a long one contains', () => {
    expect(overlaps([hold('a', 0, 90, 1), hold('b', 10, 20, 2), hold('c', 50, 60, 3)], [], TTL)).toHaveLength(2);
  });

  it('lets holds follow each other, and other keys be', () => {
    expect(overlaps([hold('a', 0, 10, 1), hold('b', 10, 20, 2), hold('c', 5, 20, 3, { key: 'l' })], [], TTL)).toEqual(
      [],
    );
  });

  it('excuses a hold that the server has lost, of that key, for a ttl', () => {
    const both = [hold('a', 0, 90, 1), hold('b', 50, 60, 2)];
    expect(overlaps(both, [{ from: 40, to: 45 }], TTL)).toEqual([]);
    expect(overlaps(both, [{ from: 40, to: 45, key: 'other' }], TTL)).toHaveLength(1);
    expect(overlaps(both, [{ from: 70, to: 75 }], TTL)).toHaveLength(1);
    expect(overlaps([hold('a', 200, 290, 1), hold('b', 250, 260, 2)], [{ from: 40, to: 45 }], TTL)).toHaveLength(1);
  });

  it('excuses one that was asked for after the loss for as long as a hold goes on inside a process', () => {
    const after = (asked: number): unknown[] =>
      overlaps([hold('a', 57, 90, 1, { asked }), hold('b', 60, 70, 2)], [{ from: 40, to: 45 }], TTL);
    expect(after(54)).toEqual([]);
    expect(after(56)).toHaveLength(1);
  });
});

describe('the oracle on fences', () => {
  it.each([
    ['lower', 5],
    ['equal', 6],
  ])('finds one that is %s', (_what, fence) => {
    expect(inversions([hold('a', 0, 10, 6), hold('b', 10, 20, fence)], [], TTL)).toHaveLength(1);
  });

  it('asks nothing of those who have none, and of other keys', () => {
    const go = hold('g', 10, 20, 0, { ours: false });
    expect(inversions([hold('a', 0, 10, 6), go, hold('b', 20, 30, 5, { key: 'l' })], [], TTL)).toEqual([]);
  });

  it('never excuses an equal one', () => {
    const losses = [{ from: 5, to: 8 }];
    expect(inversions([hold('a', 0, 30, 6), hold('b', 10, 20, 5)], losses, TTL)).toEqual([]);
    expect(inversions([hold('a', 0, 30, 6), hold('b', 10, 20, 6)], losses, TTL)).toHaveLength(1);
  });
});

describe('the oracle on the register', () => {
  const holds = [hold('a', 0, 10, 1), hold('b', 10, 20, 2)];
  const write = (who: string, fence: number, accepted: boolean) => ({ key: 'k', who, fence, accepted });

  it('is content with a register that refuses lower fences', () => {
    expect(misuses([write('a', 1, true), write('b', 2, true), write('a', 1, false)], [], holds, [], TTL)).toEqual([]);
  });

  it('finds a stale write that was accepted', () => {
    const log = [write('b', 2, true), write('a', 1, true)];
    expect(misuses(log, [], holds, [], TTL)).toEqual(['a write of a with fence 1 was accepted after 2']);
  });

  it('finds one by the clock when the fences are the same', () => {
    const same = [hold('a', 0, 10, 2), hold('b', 10, 20, 2)];
    const log = [write('b', 2, true), write('a', 2, true)];
    expect(misuses(log, [], same, [], TTL)).toEqual([expect.stringContaining('a stale write of a')]);
  });

  it('finds a holder that was refused while it held', () => {
    const attempt = { ...write('b', 2, false), from: 12, to: 13 };
    expect(misuses([], [attempt], holds, [], TTL)).toEqual(['b was refused with fence 2 while it held k']);
    expect(misuses([], [{ ...attempt, to: 25 }], holds, [], TTL)).toEqual([]);
    expect(misuses([], [attempt], holds, [{ from: 5, to: 6 }], TTL)).toEqual([]);
  });
});

describe('the oracle on liveness', () => {
  const wait = { who: 'c', key: 'k', from: 0, to: 1_000, member: member() };

  it('finds the time in which a key was free and somebody waited', () => {
    const [gap] = gaps([hold('a', 0, 100, 1), hold('b', 700, 800, 2)], [wait], [], TTL, 800);
    expect(gap).toMatchObject({ key: 'k', from: 100, ms: 600, allowed: 0, who: 'c' });
  });

  it('finds a key that nobody ever had', () => {
    expect(gaps([], [wait], [], TTL, 900)).toMatchObject([{ ms: 900 }]);
  });

  it('counts from when somebody waited, and not while he stood still', () => {
    const stopped = { ...wait, from: 200, member: member({ stops: [[300, 600]] }) };
    // Awake from 200 to 300 and, with a tenth of a second to find out, from 700 to 1000.
    expect(gaps([hold('a', 0, 100, 1)], [stopped], [], TTL, 1_000)).toMatchObject([{ from: 700, ms: 300 }]);
  });

  it('reads long runs', () => {
    const many = Array.from({ length: 200_000 }, (_, at) => ({ ...wait, from: at, to: at + 1 }));
    expect(gaps([], many, [], TTL, 200_000)).toEqual([]);
  });

  it('allows for what happened near it, and for nothing else', () => {
    const at = (from: number) => ({ from, to: from + 10, allows: 70, what: 'x' });
    const [gap] = gaps([hold('a', 0, 100, 1)], [wait], [at(50), at(500), { ...at(500), key: 'l' }], TTL, 900);
    expect(gap).toMatchObject({ allowed: 140, why: ['x', 'x'] });
  });
});

describe('the oracle reading diaries', () => {
  it('believes a hold until it is given back, refreshed, or its process is dead', async () => {
    await using dir = await tempDir();
    const file = await write(dir, ['W 1 k 0', 'A 1 5 50 7', 'U 1 20 80', 'W 2 l 0', 'A 2 6 60 8', 'R 2 30']);
    expect(read([member({ file, killedAt: 70 })]).holds).toMatchObject([
      { who: '0#1', key: 'k', from: 5, to: 70, fence: 7 },
      { who: '0#2', key: 'l', from: 6, to: 30 },
    ]);
  });

  it('takes one that exits as dead from then on', async () => {
    await using dir = await tempDir();
    const file = await write(dir, ['W 1 k 0', 'A 1 5 50 7', 'W 2 l 8', 'Q 9']);
    const { holds, wrong, injected } = read([member({ file })]);
    expect({ holds, wrong, injected }).toMatchObject({ holds: [{ to: 9 }], wrong: [], injected: 1 });
  });

  it.each([
    ['answers', 'a wait that was never answered', ['W 1 k 0', 'D 9']],
    ['ends', 'a process that did not finish', ['W 1 k 0', 'E 1 5 TimeoutError no']],
    ['errors', 'what should not happen', ['X 5 unhandled', 'D 9']],
    ['liveness', 'somebody who was not served in time', ['L 5 k not in time', 'D 9']],
  ])('finds, as %s, %s', async (check, _what, lines) => {
    await using dir = await tempDir();
    const { wrong } = read([member({ file: await write(dir, lines) })]);
    expect(wrong.map((one) => one.check)).toEqual([check]);
  });

  function write(dir: TempDir, lines: readonly string[]): Promise<string> {
    return dir.write('diary', `${lines.join('\n')}\n`);
  }
});
