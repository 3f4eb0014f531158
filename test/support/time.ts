import { setTimeout as sleep } from 'node:timers/promises';

/** Keeps the event loop busy for `ms` milliseconds, as long synchronous work or a stopped process does. */
export function stall(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** Tries until it succeeds; after `limit` milliseconds the last failure stands. */
export async function eventually<T>(attempt: () => T | Promise<T>, limit = 3_000): Promise<T> {
  const end = performance.now() + limit;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (performance.now() > end) throw error;
      await sleep(10);
    }
  }
}
