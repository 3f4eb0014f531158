import { subscribe, unsubscribe } from 'node:diagnostics_channel';

const STARTED = 'tracing:ioredis:command:start';

/**
 * The scripts that this process sends to Redis for some keys, until it is disposed of: the server's own count is of other
 * processes, too, and of what is undone in the background.
 * @param about what their keys have in them
 */
export function scriptsSent(about: string): Disposable & { readonly texts: readonly string[] } {
  const texts: string[] = [];
  const hear = (message: unknown): void => {
    const { command, args } = message as { command: string; args: string[] };
    const text = [command, ...args.slice(1)].join(' ');
    if (command.startsWith('eval') && text.includes(about)) texts.push(text);
  };
  subscribe(STARTED, hear);
  return { texts, [Symbol.dispose]: () => void unsubscribe(STARTED, hear) };
}
