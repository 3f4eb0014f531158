import { randomBytes } from 'node:crypto';
import type { Milliseconds } from '../../../../duration.js';

/** Fences that one visit to Redis takes when others of this process wait: their hand-overs take them one by one. */
export const FENCE_BLOCK = 256;

/** The channel on which a process hears that it was given a key; new for each connection's owner, unguessable. */
export function newChannel(): string {
  return `mlk:${randomBytes(9).toString('base64url')}`;
}

/** What stands in line on Redis for a process: whom to tell, and what to write for it. The value may hold anything. */
export function entryOf(channel: string, wid: number, ttl: Milliseconds, block: number, value: string): string {
  return `${channel}|${wid}|${ttl}|${block}|${value}`;
}

/** What a process is told. */
export interface GrantMessage {
  /** Which of its waits. */
  readonly wid: number;
  readonly fence: number;
  /** When the key was given, by the server's clock, in milliseconds. */
  readonly time: Milliseconds;
}

/** Undefined for what is no message of ours: anybody may publish on a channel. */
export function readMessage(text: string): GrantMessage | undefined {
  const parts = /^(\d{1,15})\|(\d{1,16})\|(\d{1,16})$/.exec(text);
  return parts ? { wid: Number(parts[1]), fence: Number(parts[2]), time: Number(parts[3]) / 1_000 } : undefined;
}
