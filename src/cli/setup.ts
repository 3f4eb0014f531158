import { ioc } from 'mcube-lock';
import type { Input, Terminal } from './command.js';
import { ending } from './exit.js';

/** Sets the components up as a program here would, runs the work, and stops them whatever came of it. */
export async function withSetup<T>(
  input: Pick<Input, 'files' | 'prefix'>,
  terminal: Terminal,
  work: () => Promise<T>,
): Promise<T> {
  const { files, prefix } = input;
  const env = { prefix };
  await (files.length > 0 ? ioc.setup({ files, env }) : ioc.developmentSetup({ env }));
  try {
    return await work();
  } finally {
    // What became of the work is what counts; that the rest did not end well is told beside it.
    await ioc.stop().catch((error: unknown) => terminal.err(`mcube-lock: ${ending(error).text}\n`));
  }
}
