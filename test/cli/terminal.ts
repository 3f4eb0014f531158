import { join } from 'node:path';
import { run } from '../../src/cli/run.js';
import { PROJECT, runChild, type ChildOptions, type Ended } from '../support/child.js';
import { sharedRedis } from '../support/redis_server.js';

/** The built program. */
export const PROGRAM = join(PROJECT, 'dist/cli/main.js');

/** What the command line printed, and its exit code. */
export interface Said {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line as a function. */
export async function say(...args: readonly string[]): Promise<Said> {
  let [out, err] = ['', ''];
  const code = await run(args, { out: (text) => (out += text), err: (text) => (err += text) });
  return { code, out, err };
}

/** Runs the built program as a process of its own; without `cwd`, in a folder without configuration. */
export function program(args: readonly string[], options: ChildOptions = {}): Promise<Ended> {
  return runChild(process.execPath, [PROGRAM, ...args], { cwd: join(PROJECT, 'test'), ...options });
}

/** The environment that puts the locks on the Redis of the tests. */
export function onRedis(): Record<string, string> {
  const { host, port, url } = sharedRedis();
  const { username, password } = new URL(url);
  return {
    LOCK_PROVIDER: 'redis',
    REDIS_ENDPOINTS: `${host}:${port}`,
    REDIS_USERNAME: decodeURIComponent(username),
    REDIS_PASSWORD: decodeURIComponent(password),
  };
}
