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
    const length = Buffer.byteLength(word);
    this.count += 1;
    this.text += LENGTHS[length] ?? lengthOf(length);
    this.text += word;
    return this;
  }

  /** The command that consists of these words and, behind them, of the others. */
  with(others: Words): string {
    return `*${this.count + others.count}${this.text}${others.text}\r\n`;
  }
}

function lengthOf(length: number): string {
  return `\r\n$${length}\r\n`;
}

/** Of most words. */
const LENGTHS = Array.from({ length: 128 }, (_, length) => lengthOf(length));

/**
 * A command that was written out before, in one piece, and whose answer is told without a promise in between: for who sends
 * so many words, so often, that both count. ioredis reads the words only to find the node of a cluster.
 */
export class WrittenCommand extends Command {
  readonly #text: string;
  #told: Told | undefined;

  /**
   * @param words of the command as far as its first key
   * @param text all of it, in Redis' protocol
   */
  constructor(name: string, words: string[], text: string, told: Told) {
    super(name, words);
    this.#text = text;
    this.#told = told;
    // In place of those that settle its promise, which nobody looks at.
    this.resolve = (reply: unknown) => this.#over()?.answered(reply);
    this.reject = (error: Error) => this.#over()?.failed(error);
  }

  override toWritable(): string {
    return this.#text;
  }

  /** Told once, and let go then: what is over would keep what comes after it from being collected. */
  #over(): Told | undefined {
    const told = this.#told;
    this.#told = undefined;
    return told;
  }
}
