import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ensureSpin, exploreAll, judge } from '../model/run.js';
import { CONFIGURATIONS, CONTROLS } from '../model/table.js';

/** All of them together may take this long on a busy machine; each waits for those before it. */
const LIMIT = 900_000;

describe('the model of the lock protocol', () => {
  const over = new AbortController();
  let searches: ReturnType<typeof exploreAll>;
  beforeAll(() => {
    searches = exploreAll([...CONFIGURATIONS, ...CONTROLS], ensureSpin(), over.signal);
  }, LIMIT);
  // Of those that no test waited for.
  afterAll(() => over.abort());

  it.each(CONFIGURATIONS.map(({ name, what }) => [name, what]))(
    '%s is explored completely, no promise is broken: %s',
    async (name) => {
      expect(await searches.get(name)).toMatchObject({ verdict: 'complete, no error', ok: true });
    },
    LIMIT,
  );

  it.each(CONTROLS.map(({ name, what, breaks }) => [name, what, breaks]))(
    '%s is found: %s',
    async (name, _what, breaks) => {
      expect(await searches.get(name!)).toMatchObject({ verdict: `${breaks} is broken`, ok: true });
    },
    LIMIT,
  );
});

describe('judge', () => {
  const row = { name: 'x', flags: '', what: '' };
  const DONE = 'State-vector 84 byte, depth reached 7674, errors: 0\n    71493 states, stored\n';

  it('takes a search that lacks nothing for a proof', () => {
    expect(judge(row, DONE)).toEqual({ states: 71493, depth: 7674, verdict: 'complete, no error', ok: true });
  });

  it.each(['error: max search depth too small\n', 'pan: out of memory\n', 'Warning: Search not completed\n'])(
    'takes none that was cut short for a proof: %s',
    (cut) => {
      expect(judge(row, cut + DONE).ok).toBe(false);
    },
  );

  it('takes another broken promise than the expected one for a failure', () => {
    const out = 'pan:1: assertion violated (S5==0) (at depth 270)\n';
    expect(judge({ ...row, breaks: 'S5' }, out).ok).toBe(true);
    expect(judge({ ...row, breaks: 'S1' }, out).ok).toBe(false);
    expect(judge(row, out).ok).toBe(false);
  });
});
