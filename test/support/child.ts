import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from './temp_dir.js';

/** The folder of package.json. */
export const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** How a child process ended, and what it said. */
export interface Ended {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Whether the time limit ended it. */
  readonly timedOut: boolean;
  /** From its start to its end, in milliseconds. */
  readonly ms: number;
}

export interface ChildOptions {
  /** Milliseconds after which it is killed; 40000 unless told. */
  readonly limit?: number;
  /** Variables on top of this process's; `undefined` takes one away. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** What it reads from its standard input. */
  readonly input?: string;
  /** Called with the child's id and with all it printed so far, as it prints; to send a signal at the right moment. */
  readonly onOutput?: (pid: number, stdout: string) => void;
}

export interface ScriptOptions extends Omit<ChildOptions, 'cwd'> {
  /** Files in the script's working folder, by name, such as `etc/application.toml`. */
  readonly files?: Readonly<Record<string, string>>;
  /** Arguments of the script. */
  readonly args?: readonly string[];
  /** Options of node itself. */
  readonly nodeArgs?: readonly string[];
}

/**
 * Runs an ES module as a program of its own against the built package, which it imports by name. Its working folder is
 * empty but for `files`.
 */
export async function runScript(source: string, options: ScriptOptions = {}): Promise<Ended> {
  // Inside the project, where the package's own name resolves; build/ is not in git.
  await using dir = await tempDir({ ...options.files, 'script.mjs': source }, join(PROJECT, 'build'));
  const args = [...(options.nodeArgs ?? []), 'script.mjs', ...(options.args ?? [])];
  return await runChild(process.execPath, args, { ...options, cwd: dir.path });
}

/** Whether a process runs, or is stopped. */
export function isAlive(pid: number): boolean {
  try {
    // A process that ended and was not yet waited for is no longer alive.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Runs a program to its end, or to the end of its time. */
export function runChild(program: string, args: readonly string[], options: ChildOptions = {}): Promise<Ended> {
  const { limit = 40_000, env = {}, cwd, input = '', onOutput } = options;
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn(program, args, { cwd, env: { ...process.env, ...env }, stdio: 'pipe' });
    let [stdout, stderr, timedOut] = ['', '', false];
    const timer = setTimeout(() => {
      timedOut = true;
      child.kill('SIGKILL');
    }, limit);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      onOutput?.(child.pid ?? 0, stdout);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    // A child that ends before it read its input is no failure of the test.
    child.stdin.on('error', () => undefined).end(input);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, timedOut, ms: performance.now() - start });
    });
  });
}
