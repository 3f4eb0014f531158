import type { Command, Input, Terminal } from './command.js';
import { EXIT, UsageError } from './exit.js';
import { sections } from './sections.js';
import { withSetup } from './setup.js';
import { effectiveText, envFile, tomlFile } from './texts.js';

/** Prints the configuration: what is in effect, or every key at its default. */
export const config: Command = {
  usage: 'config [--toml | --env]',
  about: 'Print the configuration that is in effect, with the source of each value; secrets are masked.',
  more:
    'With --toml and --env nothing is read: what is printed is a file to begin with, and the place to look up keys,\n' +
    'variables and what they do.',
  options: {
    toml: {
      type: 'boolean',
      about: 'Print an etc/application.toml with every key at its default and a sentence each.',
    },
    env: { type: 'boolean', about: 'Print the same as a .env file.' },
  },
  run: async (input, terminal) => {
    terminal.out(await text(input, terminal));
    return EXIT.ok;
  },
};

async function text(input: Input, terminal: Terminal): Promise<string> {
  const { values, words, files, prefix } = input;
  if (words.length > 0) throw new UsageError(`config takes no arguments, found ${JSON.stringify(words[0])}`);
  if (values['toml'] && values['env']) throw new UsageError('--toml and --env are two outputs: give one of them');
  const file = values['toml'] ? tomlFile : values['env'] ? envFile : undefined;
  if (!file) return withSetup(input, terminal, async () => effectiveText(sections()));
  if (files.length > 0) throw new UsageError('--file is not read for --toml and --env, which print defaults');
  return file(sections(), prefix);
}
