import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from '@jest/globals';
import type { lock } from 'mcube-lock';
import { undisturbed } from './time.js';

/** Options under which a waiter that nobody tells asks for itself after 750 ms at the earliest. */
export const PATIENT = { pollMin: '5s', pollMax: '5s' } as const;
/** Milliseconds after which one was not told: who stood in line for 150 ms would have to ask for 600 ms more. */
const TOLD = 500;

/** Milliseconds from a release to the grant of a waiter in another process, who has stood in line for a while. */
export async function handOver(ours: lock.LockFactory, theirs: lock.LockFactory, key = 'handed'): Promise<number> {
  const held = await ours.new(key, '60s').lock();
  const waiting = theirs.new(key, '60s').lock({ wait: '20s' });
  await sleep(150);
  const released = performance.now();
  await held.unlock();
  const next = await waiting;
  const ms = performance.now() - released;
  expect(next.fence).toBeGreaterThan(0n);
  await next.unlock();
  return ms;
}

/** A release is told to a waiter in another process, who need not ask for itself; factories are to be `PATIENT`. */
export async function isToldAtOnce(ours: lock.LockFactory, theirs: lock.LockFactory, key?: string): Promise<void> {
  await undisturbed(100, async () => expect(await handOver(ours, theirs, key)).toBeLessThan(TOLD));
}

/** Visits under one lock: nobody beside another, and fences that grow. */
export class Visits {
  /** Of all holds, in their order. */
  readonly fences: bigint[] = [];
  #inside = 0;

  constructor(
    private readonly key: string,
    private readonly ttl: string,
    private readonly wait: string,
  ) {}

  async visit(factory: lock.LockFactory): Promise<void> {
    const mine = await factory.new(this.key, this.ttl).lock({ wait: this.wait });
    expect((this.#inside += 1)).toBe(1);
    this.fences.push(mine.fence!);
    await sleep(5);
    this.#inside -= 1;
    await mine.unlock();
  }

  /** @param count how many holds there were */
  expectInOrder(count: number): void {
    expect(this.fences).toHaveLength(count);
    this.fences.slice(1).forEach((fence, at) => expect(fence).toBeGreaterThan(this.fences[at]!));
  }
}
