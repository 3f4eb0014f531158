import { subscribe, unsubscribe } from 'node:diagnostics_channel';

const STARTED = 'tracing:ioredis:command:start';

/** Counts the scripts that this process sends to Redis, until it is disposed of: other processes use the server, too. */
export function countScripts(): Disposable & { readonly count: number } {
  let count = 0;
  const hear = (message: unknown): void => {
    if (/^eval/.test((message as { command: string }).command)) count += 1;
  };
  subscribe(STARTED, hear);
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => void unsubscribe(STARTED, hear),
  };
}
