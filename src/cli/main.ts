#!/usr/bin/env node
/** The program `mcube-lock`: arguments in, exit code out. The process ends by itself once nothing is left to do. */
import { EXIT } from './exit.js';
import { run } from './run.js';

let unwritten: Error | undefined;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough, such as `head`, is no failure.
    if (error.code !== 'EPIPE') unwritten ??= error;
  });
}

const code = await run(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
});

process.exitCode = code;
process.once('beforeExit', () => {
  if (!unwritten) return;
  process.stderr.write(`mcube-lock: could not write what it had to say: ${unwritten.message}\n`);
  process.exitCode = code || EXIT.ioerr;
});
