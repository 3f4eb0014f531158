import type { RedisClient } from './connect.js';

/** How long the end of a closed connection is waited for. */
const END_MS = 1_500;

/**
 * Lets a client go: waits for replies that are under way, and not for a server that does not answer.
 * @param signal ends the waiting
 */
export async function disconnect(client: RedisClient, signal: AbortSignal): Promise<void> {
  if (client.status === 'ready') await unlessAborted(client.quit(), signal);
  if (client.status === 'end') return;
  // One that was never connected has nothing to wait for.
  if (client.status === 'wait') return client.disconnect();
  // While it waits to connect again ioredis holds nothing that would close, and so would never be at its end, nor would
  // the commands that wait; as one that was never connected, it ends at once and rejects them.
  if (client.status === 'reconnecting') client.status = 'wait';
  const end = ended(client, signal);
  client.disconnect();
  await end;
}

/** Waits for work, whatever comes of it, until the signal aborts. */
async function unlessAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let giveUp = () => {};
  const aborted = new Promise<void>((resolve) => (giveUp = resolve));
  if (signal.aborted) giveUp();
  else signal.addEventListener('abort', giveUp, { once: true });
  await Promise.race([work.then(giveUp, giveUp), aborted]);
  signal.removeEventListener('abort', giveUp);
}

/** The time limit is for Sentinels that were being asked: ioredis finishes that first. */
async function ended(client: RedisClient, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      client.off('end', done);
      resolve();
    };
    const timer = setTimeout(done, END_MS);
    signal.addEventListener('abort', done, { once: true });
    client.once('end', done);
    if (signal.aborted) done();
  });
}
