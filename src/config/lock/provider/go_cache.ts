import type { Milliseconds } from '../../../duration.js';
import type { Answer, Ask, Grant, OwnStore, Refusal } from './store.js';

/**
 * Locks in the memory of this process. The queue in front knows every hold of this process and its deadline, and nobody
 * else can have one, so that whatever it asks for is granted at once: a lock here is that queue over a map, with no
 * timer unless somebody waits. A hold lasts for its ttl, however many keys there are.
 */
export class GoCacheStore implements OwnStore {
  readonly alone = true;
  readonly provider = 'go_cache';
  readonly shortestTtl = 1;
  /** The same for all: it is read at once. */
  readonly #grant = { granted: true as const, fence: 0, until: 0 };

  deadline(sent: Milliseconds, ttl: Milliseconds): Milliseconds {
    return sent + ttl;
  }

  obtain(ask: Ask, now: Milliseconds): Grant {
    const grant = this.#grant;
    grant.fence = nextFence();
    grant.until = now + ask.ttl;
    return grant;
  }

  refresh(_ask: Ask, ttl: Milliseconds): Answer<Milliseconds | undefined> {
    return performance.now() + ttl;
  }

  release(): Answer<boolean> {
    return true;
  }

  abandon(): void {}

  pause(refusal: Refusal): Milliseconds {
    return refusal.left;
  }

  async close(): Promise<void> {}
}

// One counter for the process, so that containers side by side never count backwards against each other; seeded by the
// clock in microseconds, so that a restarted process goes on above where it was. In such an array V8 need not allocate a number
// for each fence.
const lastFence = new Float64Array([Date.now() * 1_000]);

function nextFence(): number {
  return (lastFence[0]! += 1);
}
