import { timerDelay, type Milliseconds } from '../../../../duration.js';

/** Waits until `work` settles, whatever comes of it, for at most `limit` milliseconds; its timer ends with it. */
export async function atMost(limit: Milliseconds, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, timerDelay(limit))));
  await Promise.race([Promise.allSettled([work]), over]);
  clearTimeout(timer);
}
