import type { Milliseconds } from '../../../../duration.js';
import type { Listener } from './connection.js';
import { newChannel, newWid, readMessage, type GrantMessage } from './entry.js';
import { isHeld } from './fences.js';
import { Promised, Reading, type Operation, type Receiver } from './operation.js';
import type { Carrier } from './run.js';
import type { Wait } from './wait.js';

/** Waits that are over, remembered for grants that come late. */
const REMEMBERED = 4_096;

/** What the turns want done. */
export interface TurnsHost {
  deadline(sent: Milliseconds, ttl: Milliseconds): Milliseconds;
  /** Asks again for who stands in line. */
  kick(wait: Wait, receiver: Receiver): Operation;
  /** The key is its own, as the server `told` by a fence: the visit to Redis counts from `at`, the hold lasts until `until`. */
  given(wait: Wait, at: Milliseconds, told: number, until: Milliseconds): void;
  /** It was given the key, which it does not want any more. */
  late(wait: Wait): void;
}

/** Who of this process stands in line on Redis, and whose turn it is by the messages that come from there. */
export class Turns implements Listener {
  readonly channel = newChannel();
  /** Who may stand in line, by its wid. */
  readonly #inLine = new Map<string, Wait>();
  /** Who stood there and left, served or not: a grant that still comes for it goes back. */
  readonly #gone = new Map<string, Wait>();

  constructor(private readonly host: TurnsHost) {}

  get waits(): readonly Wait[] {
    return [...this.#inLine.values()];
  }

  /**
   * It stands in line with its next question.
   * @param block how many fences it is given with the key
   */
  enter(wait: Wait, block: number): void {
    if (wait.wid !== '') return;
    wait.standInLine(this.channel, newWid(), block);
    this.#inLine.set(wait.wid, wait);
  }

  leave(wait: Wait): void {
    if (wait.wid === '') return;
    this.#inLine.delete(wait.wid);
    this.#gone.set(wait.wid, wait);
    if (this.#gone.size > REMEMBERED) this.#gone.delete(this.#gone.keys().next().value!);
  }

  wanted(): boolean {
    return this.#inLine.size > 0;
  }

  /** One of our waits has been given its key. */
  message(text: string, { cluster, generation }: Carrier): void {
    const arrival = performance.now();
    const message = readMessage(text);
    if (!message) return;
    const wait = this.#inLine.get(message.wid);
    if (!wait) return this.#late(message);
    if (wait.confirmation) return;
    const { ttl } = wait.ask;
    const at = wait.earliest(message.time, arrival, generation);
    const until = at === undefined ? -Infinity : this.host.deadline(at, ttl);
    // On a cluster another node may have granted it than the one whose clock we know.
    const isUnsure = cluster || wait.overheard || until - arrival < ttl / 2;
    if (isUnsure) void this.#confirm(wait);
    else this.host.given(wait, arrival, message.fence, until);
  }

  /** The connection on which we heard is gone: everybody in line asks for himself. */
  lost(): void {
    for (const wait of this.waits) {
      wait.overheard = true;
      if (!wait.listening) continue;
      wait.listening = false;
      wait.line?.ask();
    }
  }

  /**
   * Too little is surely left of what we were given: only an answer makes it ours. It has a fence of its own, for we may have
   * been given the key once more since that message, and others before that.
   */
  async #confirm(wait: Wait): Promise<void> {
    wait.overheard = true;
    const sent = performance.now();
    const promised = new Promised<unknown>();
    const question = this.host.kick(wait, new Reading(promised, (reply) => reply));
    wait.confirmation = question;
    const reply = await promised.promise.catch(() => undefined);
    wait.heardOf(question);
    wait.confirmation = undefined;
    if (!this.#inLine.has(wait.wid)) return;
    if (typeof reply !== 'number') return wait.line?.ask();
    this.host.given(wait, sent, reply, this.host.deadline(sent, wait.ask.ttl));
  }

  /** A grant for a wait that was given up goes back at once. One for a lock that is held is an echo. */
  #late({ wid, fence }: GrantMessage): void {
    const wait = this.#gone.get(wid);
    // On a cluster a grant is heard once from each master: one no newer than what we were given is an echo.
    if (!wait || (wait.visit && Math.abs(fence) <= wait.visit.end)) return;
    // Whoever heard the message of our grant may have made this one: it takes nothing from a hold that is alive.
    if (wait.visit && isHeld(wait.visit)) return;
    if (!wait.ask.random) {
      // Others may have its value, too: the one message that nobody else can have made is believed.
      if (wait.visit) return;
      this.#gone.delete(wid);
    }
    this.host.late(wait);
  }
}
