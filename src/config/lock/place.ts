import type { Milliseconds } from '../../duration.js';
import type { Lease } from './lease.js';
import type { KeyQueue } from './queue.js';

/** One key, as this process sees it: who of us holds it, and the line of those who want it, once somebody had to wait. */
export class Place {
  holder: Lease | undefined = undefined;
  line: KeyQueue | undefined = undefined;
  /** What the store remembers of the key. */
  memo: unknown = undefined;

  held(now: Milliseconds): boolean {
    return this.holder !== undefined && this.holder.alive(now);
  }

  /** Neither held by us at `now`, nor waited for, nor asked for. */
  free(now: Milliseconds): boolean {
    return (this.line === undefined || this.line.idle) && !this.held(now);
  }

  /** Our hold has ended: the next in line need not wait for any timer. */
  freed(now: Milliseconds): void {
    const until = this.holder?.until ?? 0;
    this.holder = undefined;
    this.line?.freed(now, until);
  }
}
