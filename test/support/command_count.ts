import { jest } from '@jest/globals';
import { WrittenCommand } from '../../src/config/redis/command.js';

/**
 * The scripts that this process sends to Redis for some keys, until it is disposed of: the server's own count is of other
 * processes, too, and of what is undone in the background.
 * @param about what their keys have in them
 */
export function scriptsSent(about: string): Disposable & { readonly texts: readonly string[] } {
  const texts: string[] = [];
  const { toWritable } = WrittenCommand.prototype;
  const spy = jest.spyOn(WrittenCommand.prototype, 'toWritable').mockImplementation(function (this: WrittenCommand) {
    const text = toWritable.call(this);
    if (text.includes(about)) texts.push(text);
    return text;
  });
  return { texts, [Symbol.dispose]: () => spy.mockRestore() };
}
