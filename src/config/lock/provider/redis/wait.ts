import type { Milliseconds } from '../../../../duration.js';
import type { Ask, Line, Refusal } from '../store.js';
import type { Call } from './call.js';
import { entryOf, FENCE_BLOCK } from './entry.js';

/** What a visit to Redis gave: from when, and the fences that hand-overs inside this process may take. */
export interface Visit {
  readonly at: Milliseconds;
  next: number;
  readonly end: number;
}

/** One acquisition, as the store follows it: what was asked, whether it stands in line on Redis, what it was given. */
export class Wait {
  /** The last question. */
  question: Call | undefined;
  /** Whether it asked before: then it asks again, which lets those go first who stand before it. */
  asked = false;
  /** Whether the last question was answered; else it may still be granted. */
  answered = false;
  /** What it is called in our messages; 0 until it may stand in line on Redis. */
  wid = 0;
  entry = '';
  /** Whether it stands there and hears. */
  listening = false;
  /** Whether Redis tells when the holder, none of ours, lets go. */
  watching = false;
  /** Whether what it was told is being confirmed, and by which question. */
  confirming = false;
  confirmation: Call | undefined;
  /** Neither wanted nor granted any more. */
  over = false;
  visit: Visit | undefined;
  /** When we last asked, by our clock, and what the server's clock said then; the first is the earlier one. */
  sample: { readonly sent: Milliseconds; readonly server: Milliseconds } | undefined;

  constructor(
    readonly ask: Ask,
    readonly line: Line | undefined,
  ) {}

  standInLine(channel: string, wid: number): void {
    this.wid = wid;
    this.entry = entryOf(channel, wid, this.ask.ttl, FENCE_BLOCK, this.ask.value);
  }

  /**
   * The earliest moment, by our own clock, at which a grant of the server's time `server` can have been made. Counted from
   * our last question, not from the arrival of the message: that may have lain unread for as long as we were stopped.
   */
  earliest(server: Milliseconds, arrival: Milliseconds): Milliseconds | undefined {
    return this.sample && Math.min(arrival, server + (this.sample.sent - this.sample.server));
  }
}

/** Another has the key; and how the waiter is placed, which decides when to ask again. */
export interface RedisRefusal extends Refusal {
  /** Whether the waiter stands in line and is told when it is its turn. */
  readonly listening: boolean;
  /** Whether nobody tells when the holder releases: it is none of ours, and Redis does not watch it for us. */
  readonly unheard: boolean;
}
