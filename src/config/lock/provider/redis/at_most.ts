import { timerDelay, type Milliseconds } from '../../../../duration.js';

/** Waits until `work` settles, whatever comes of it, for at most `limit` milliseconds; its timer ends with it. */
export async function atMost(limit: Milliseconds, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, timerDelay(limit))));
  await Promise.race([Promise.allSettled([work]), over]);
  clearTimeout(timer);
}

/** An answer that may not take longer than `limit` milliseconds. Its timer keeps no process alive. */
export async function inTime<T>(limit: Milliseconds, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('redis did not answer')), timerDelay(limit)).unref();
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
