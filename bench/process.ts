import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Contestant } from './contestants/index.js';
import type { FromWorker, Job, ToWorker } from './job.js';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

/** Longest wait for what should take no time. */
const OPEN_LIMIT = 15_000;

/** A worker, seen from the benchmark. It is killed at the end of its round: nothing of a library outlives it. */
export class Worker {
  readonly #child: ChildProcess;
  readonly #told: FromWorker[] = [];
  #failure: Error | undefined;
  #listener: (() => void) | undefined;
  #output = '';

  private constructor() {
    this.#child = fork(WORKER, { serialization: 'advanced', stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
    this.#child.on('message', (message: FromWorker) => {
      if (message.type === 'failed') this.#fail(message.message);
      else this.#told.push(message);
      this.#listener?.();
    });
    this.#child.on('error', (error) => this.#fail(error.message));
    this.#child.on('exit', (code, signal) => {
      this.#fail(
        `the process ended: ${signal ?? code}${this.#output ? ` ${this.#output.trim().split('\n').pop()}` : ''}`,
      );
    });
  }

  static async open(job: Job): Promise<Worker> {
    const worker = new Worker();
    try {
      worker.tell({ type: 'open', job });
      await worker.hear('opened', OPEN_LIMIT);
      return worker;
    } catch (error) {
      await worker.kill();
      throw error;
    }
  }

  tell(message: ToWorker): void {
    this.#child.send(message);
  }

  /** The next message of that kind. */
  hear<T extends FromWorker['type']>(type: T, limit: number): Promise<Extract<FromWorker, { type: T }>> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#listener = undefined;
        reject(new Error(`hangs: no "${type}" within ${limit} ms`));
      }, limit);
      this.#listener = () => {
        const at = this.#told.findIndex((message) => message.type === type);
        if (at < 0 && !this.#failure) return;
        clearTimeout(timer);
        this.#listener = undefined;
        if (at < 0) reject(this.#failure!);
        else resolve(this.#told.splice(at, 1)[0] as Extract<FromWorker, { type: T }>);
      };
      this.#listener();
    });
  }

  /** Resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await gone;
  }

  #fail(message: string): void {
    this.#failure ??= new Error(message);
    this.#listener?.();
  }
}

/** The processes of one contestant. */
export class Team {
  private constructor(
    readonly contestant: Contestant,
    readonly workers: readonly Worker[],
    /** What went wrong; then nothing more is asked of it. */
    public failure: string | undefined,
  ) {}

  static async open(
    { table, processes }: Pick<Job, 'table'> & { readonly processes: number },
    contestant: Contestant,
    port: number,
  ): Promise<Team> {
    const job: Job = { table, contestant: contestant.name, port };
    const opened = await Promise.allSettled(Array.from({ length: processes }, () => Worker.open(job)));
    const workers = opened.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
    const failures = opened.flatMap((one) => (one.status === 'rejected' ? [one.reason as Error] : []));
    return new Team(contestant, workers, failures[0]?.message);
  }

  async kill(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.kill()));
  }
}
