// @ts-check
import { spawn } from 'node:child_process';

/** Reads `+ pid` and `- pid`; at the end of its input, which is the end of this process however it ends, it kills the rest. */
const SCRIPT = `
pids=
while read -r sign pid; do
  rest=
  for one in $pids; do [ "$one" = "$pid" ] || rest="$rest $one"; done
  pids=$rest
  [ "$sign" = + ] && pids="$pids $pid"
done
[ -z "$pids" ] || kill -9 $pids 2>/dev/null`;

/** @type {import('node:stream').Writable | undefined} */ let input;

/** A process that is not to outlive this one, be it stopped or this one killed. @param {import('node:child_process').ChildProcess} child */
export function watch(child) {
  if (!child.pid) return;
  const told = (input ??= start());
  told.write(`+ ${child.pid}\n`);
  child.once('exit', () => told.write(`- ${child.pid}\n`));
}

function start() {
  // A session of its own: what ends this process by a signal to its group does not reach it.
  const shell = spawn('/bin/sh', ['-c', SCRIPT], { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
  shell.unref();
  // The pipe to a child is a socket, which can be told not to keep this process alive.
  /** @type {import('node:net').Socket} */ (/** @type {unknown} */ (shell.stdin)).unref();
  shell.stdin.on('error', () => undefined);
  return shell.stdin;
}
