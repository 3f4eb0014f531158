import type { Milliseconds } from '../../../../duration.js';
import { randomText } from '../../random.js';

/** The channel on which a process hears that it was given a key; new for each connection's owner, unguessable. */
export function newChannel(): string {
  return `mlk:${randomText(12)}`;
}

/**
 * The name of a wait, 72 random bits. Until it is given the key only its entry has it: a message that carries it comes from
 * somebody who can read the entry, and so could write the lock itself.
 */
export function newWid(): string {
  return randomText(12);
}

/** What stands in line on Redis for a process: whom to tell, and what to write for it. The value may hold anything. */
export function entryOf(channel: string, wid: string, ttl: Milliseconds, block: number, value: string): string {
  return `${channel}|${wid}|${ttl}|${block}|${value}`;
}

/** What a process is told. */
export interface GrantMessage {
  /** Which of its waits. */
  readonly wid: string;
  /** The first of a block, or one alone, as a negative number. */
  readonly fence: number;
  /** When the key was given, by the server's clock, in milliseconds. */
  readonly time: Milliseconds;
}

/** Undefined for what is no message of ours: anybody may publish on a channel. */
export function readMessage(text: string): GrantMessage | undefined {
  const parts = /^([\w-]{12})\|(-?\d{1,16})\|(\d{1,16})$/.exec(text);
  return parts ? { wid: parts[1]!, fence: Number(parts[2]), time: Number(parts[3]) / 1_000 } : undefined;
}
