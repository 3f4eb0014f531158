import { ioc } from 'mcube-lock';
import type { Command } from './command.js';
import { EXIT, UsageError } from './exit.js';
import { withSetup } from './setup.js';

/** Prints the components. */
export const list: Command = {
  usage: 'list',
  about: 'Print the components in the order they start, each with what it has injected, as a tree.',
  options: {},
  run: async (input, terminal) => {
    const { words } = input;
    if (words.length > 0) throw new UsageError(`list takes no arguments, found ${JSON.stringify(words[0])}`);
    await withSetup(input, terminal, async () => ioc.printDependencies((text) => terminal.out(text)));
    return EXIT.ok;
  },
};
