import type { Milliseconds } from '../../../../duration.js';
import { ProviderUnreachableError } from '../../errors.js';
import type { Ask, Asker, Grant, Line, Refusal } from '../store.js';
import type { Operation, Receiver } from './operation.js';
import { entryOf } from './entry.js';
import type { Visit } from './fences.js';

/** Whom a wait brings the replies to its questions. */
export interface WaitHost {
  replied(wait: Wait, reply: unknown, operation: Operation, now?: Milliseconds): void;
}

/** One acquisition, as the store follows it: what was asked, whether it stands in line on Redis, what it was given. */
export class Wait implements Receiver {
  /** The last question, and from when on what it is granted counts, on `performance.now()`. */
  question: Operation | undefined;
  sent: Milliseconds = 0;
  /** Whether it asks to stand in line, and whether the server could not let it. */
  stands = false;
  outside = false;
  /** Whether it asked before: then it asks again, which lets those go first who stand before it. */
  asked = false;
  /** Whether the last question was answered; else it may still be granted. */
  isAnswered = false;
  /** What it is called in our messages; empty until it may stand in line on Redis. */
  wid = '';
  entry = '';
  /** How many fences it is given with the key when it stands in line. */
  block = 0;
  /** Whether it stands there and hears. */
  listening = false;
  /** Whom Redis tells when the holder, none of ours, lets go. */
  watching: (() => void) | undefined;
  /**
   * Whether a message for it was sent already, or may have been: others may have heard its name, so that the next message
   * alone proves nothing.
   */
  overheard = false;
  /** The question that is to confirm what it was told. */
  confirmation: Operation | undefined;
  /** Neither wanted nor granted any more. */
  over = false;
  visit: Visit | undefined;
  /**
   * When we last asked, by our clock, and what the server's clock said then; the first is the earlier one. On which connection:
   * that of another server has another clock.
   */
  sample: { readonly sent: Milliseconds; readonly server: Milliseconds; readonly generation: number } | undefined;
  /**
   * The first connection on which a question of it was left without an answer: on later ones the network may deliver that
   * question behind whatever is sent. Infinity when there was none.
   */
  astray = Infinity;
  /** Who is to be told the answer to the last question; undefined once it was. */
  asker: Asker<Grant | Refusal> | undefined;
  #value: string | undefined = undefined;

  /** @param line who waits, until it is granted the key or gives up: it is not kept in memory by what is remembered longer */
  constructor(
    readonly ask: Ask,
    public line: Line | undefined,
    private readonly host: WaitHost,
  ) {}

  /** What it was asked with: the ask has another by now if it was asked for again. */
  get value(): string {
    return this.#value ?? this.ask.value;
  }

  /** Whether a question of it was sent. */
  get wasSent(): boolean {
    return this.asked || (this.question !== undefined && this.question.sent !== 0);
  }

  asks(stands: boolean, question: Operation, now: Milliseconds): void {
    this.#value = question.value;
    this.stands = stands;
    this.isAnswered = false;
    this.question = question;
    this.sent = now;
  }

  /** A question that was answered when it was sent again: the first may still be on its way. */
  heardOf({ repeated, generation }: Operation): void {
    if (repeated) this.astray = Math.min(this.astray, generation);
  }

  /** What was asked is not sent (again) behind what follows now: its undoing, or the release of what was given meanwhile. */
  unask(): void {
    // Most have been answered, and an error is dear: its stack is written down when it is made.
    if (this.isAnswered && !this.confirmation) return;
    const reason = new ProviderUnreachableError('redis', 0);
    for (const question of [this.isAnswered ? undefined : this.question, this.confirmation]) {
      if (!question) continue;
      if (question.sent !== 0) this.astray = Math.min(this.astray, question.generation);
      question.cancel(reason);
    }
  }

  answered(reply: unknown, operation: Operation, now?: Milliseconds): void {
    this.isAnswered = true;
    this.host.replied(this, reply, operation, now);
  }

  /** Not at once: who fails may be in the middle of giving up. */
  failed(error: unknown): void {
    const { asker } = this;
    this.asker = undefined;
    if (asker) void Promise.resolve().then(() => asker.failed(error));
  }

  tell(answer: Grant | RedisRefusal, now?: Milliseconds): void {
    const { asker } = this;
    this.asker = undefined;
    asker?.answered(answer, now);
  }

  standInLine(channel: string, wid: string, block: number): void {
    this.wid = wid;
    this.block = block;
    this.entry = entryOf(channel, wid, this.ask.ttl, block, this.ask.value);
  }

  /**
   * The earliest moment, by our own clock, at which a grant of the server's time `server` can have been made. Counted from
   * our last question, not from the arrival of the message: that may have lain unread for as long as we were stopped.
   * @param generation the connection that it came on
   * @returns undefined when nothing is known
   */
  earliest(server: Milliseconds, arrival: Milliseconds, generation: number): Milliseconds | undefined {
    const { sample } = this;
    if (sample?.generation !== generation) return undefined;
    return Math.min(arrival, server + (sample.sent - sample.server));
  }
}

/** Another has the key; and how the waiter is placed, which decides when to ask again. */
export interface RedisRefusal extends Refusal {
  /** Whether the waiter stands in line and is told when it is its turn. */
  readonly listening: boolean;
  /** Whether nobody tells when the holder releases: it is none of ours, and Redis does not watch it for us. */
  readonly unheard: boolean;
}
