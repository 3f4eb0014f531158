import { Redis } from 'ioredis';

/** What the server did so far. */
export interface Work {
  /** Calls of each command, those inside scripts included. */
  readonly calls: ReadonlyMap<string, number>;
  /** Microseconds of its main thread. */
  readonly cpu: number;
}

/** What this benchmark, and every client at its start, asks for itself. */
const OWN = new Set('info config hello client ping flushall select script command'.split(' '));

/** The benchmark's own connection. */
export class Server {
  readonly #client: Redis;

  constructor(readonly port: number) {
    this.#client = new Redis(port);
  }

  async version(): Promise<string> {
    return /redis_version:(\S+)/.exec(await this.#client.info('server'))?.[1] ?? 'unknown';
  }

  async work(): Promise<Work> {
    const [stats, cpu] = await Promise.all([this.#client.info('commandstats'), this.#client.info('cpu')]);
    const calls = new Map<string, number>();
    for (const [, command, count] of stats.matchAll(/cmdstat_([^:|]+)[^:]*:calls=(\d+)/g)) {
      calls.set(command!, (calls.get(command!) ?? 0) + Number(count));
    }
    const used = (what: string): number =>
      Number(
        new RegExp(`used_cpu_${what}_main_thread:([\\d.]+)`).exec(cpu)?.[1] ??
          new RegExp(`used_cpu_${what}:([\\d.]+)`).exec(cpu)?.[1],
      );
    return { calls, cpu: (used('user') + used('sys')) * 1e6 };
  }

  async clear(): Promise<void> {
    await this.#client.flushall();
  }

  close(): void {
    this.#client.disconnect();
  }
}

/** Commands that clients sent between two looks, without those that they only run inside scripts. */
export function commands(before: Work, after: Work, inner: readonly string[] = []): number {
  let sum = 0;
  for (const [command, calls] of after.calls) {
    if (!OWN.has(command) && !inner.includes(command)) sum += calls - (before.calls.get(command) ?? 0);
  }
  return sum;
}
