// The global one is a getter, which costs as much as the length of a word.
import { Buffer } from 'node:buffer';
import { Command } from 'ioredis';

/** Who is told what became of a command. */
export interface Told {
  answered(reply: unknown): void;
  failed(error: unknown): void;
}

/** Words of a command in Redis' protocol: each behind its length in bytes. */
export class Words {
  count = 0;
  /** What ends a word stands in front of the next one: so that a word makes two pieces of text, and not four. */
  text = '';

  add(word: string): this {
    return this.append(word, Buffer.byteLength(word));
  }

  /** The same for a word of ASCII characters alone: nobody need count its bytes, which takes longer than all the rest. */
  addAscii(word: string): this {
    return this.append(word, word.length);
  }

  /** The command that consists of these words and, behind them, of the others. */
  with(others: Words): string {
    return `*${this.count + others.count}${this.text}${others.text}\r\n`;
  }

  private append(word: string, length: number): this {
    this.count += 1;
    this.text += LENGTHS[length] ?? lengthOf(length);
    this.text += word;
    return this;
  }
}

function lengthOf(length: number): string {
  return `\r\n$${length}\r\n`;
}

/** Of most words. */
const LENGTHS = Array.from({ length: 128 }, (_, length) => lengthOf(length));

/**
 * A command that was written out before, in one piece, and whose answer is told without a turn in between: for who sends so
 * many words, so often, that both count. It is made with the words as far as its first key: ioredis reads them only to find
 * the node of a cluster.
 */
export class WrittenCommand extends Command {
  #text = '';
  #told: Told | undefined;
  #answered = false;

  /** Whether it was answered, so that it can be sent again, with other words behind the first. */
  get free(): boolean {
    return this.#answered;
  }

  /** @param text all of it, in Redis' protocol */
  saying(text: string, told: Told): this {
    this.#text = text;
    this.#told = told;
    this.#answered = false;
    this.isTraced = false;
    // Each time anew: those who trace commands put their own ends around these, or wait for the promise.
    this.promise = new Promise((resolve, reject) => {
      this.resolve = (reply: unknown) => {
        resolve(reply);
        this.#answered = true;
        this.#over()?.answered(reply);
      };
      this.reject = (error: Error) => {
        this.promise.catch(() => undefined);
        reject(error);
        this.#over()?.failed(error);
      };
    });
    return this;
  }

  /**
   * Sent on a cluster, where ioredis puts its own end around the command's, which sends it again after some errors.
   * @param isFinal whether who asked is told of an error all the same: he alone knows what may still be sent
   */
  sentBy(send: (command: this) => unknown, isFinal: (error: Error) => boolean): void {
    const own = this.reject;
    send(this);
    const theirs = this.reject;
    if (theirs === own) return;
    this.reject = (error) => (isFinal(error) ? own(error) : theirs(error));
  }

  override toWritable(): string {
    return this.#text;
  }

  /** Told once, and let go then: what is over would keep what comes after it from being collected. */
  #over(): Told | undefined {
    const told = this.#told;
    this.#told = undefined;
    this.#text = '';
    return told;
  }
}
