import type { Milliseconds } from '../../../../duration.js';
import type { Operation } from './operation.js';
import type { Connection } from './connection.js';
import type { Asking } from './evaluate.js';
import { Run } from './run.js';

/** Told what became of a flight: the reply, or why there is none. */
export type Landing = (flight: Flight, reply: unknown, error?: unknown) => void;

/** Operations that left together. */
export class Flight implements Asking {
  readonly errand: boolean;
  /** What is not answered yet, and what was sent last. */
  open: readonly Operation[];
  run: Run | undefined;
  over = false;
  /** Why it is not answered yet, as far as is known. */
  why: Error | undefined;
  /** Whether it is on its way on the connection that was there. */
  runs = false;
  #abort: AbortController | undefined;

  /**
   * @param server whose answer it waits for; empty where there is but one
   * @param yields keys may be let be free for a moment
   * @param started from when on its time counts, on `performance.now()`
   */
  constructor(
    readonly guard: string,
    readonly server: string,
    operations: Operation[],
    private readonly connection: Connection,
    private readonly yields: boolean,
    private readonly landing: Landing,
    readonly started: Milliseconds,
  ) {
    this.open = operations;
    this.errand = operations[0]!.errand;
  }

  /** Aborts when it is over; made for those who have to wait for a connection. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.over) this.#abort.abort();
    return this.#abort.signal;
  }

  /** Whether anything of it may be sent. */
  get isReady(): boolean {
    return this.open.some((operation) => !operation.cancelled && !operation.isOvertaken?.());
  }

  request(refused = false): Run {
    if (refused) for (const operation of this.run?.operations ?? []) operation.notRun();
    return (this.run = new Run(this.guard, this.over ? [] : this.open, this.connection, this.yields));
  }

  answered(reply: unknown): void {
    this.landing(this, reply);
  }

  failed(error: unknown): void {
    this.landing(this, undefined, error);
  }

  /** An operation was cancelled: without any that is wanted there is nothing to wait for. */
  left(): void {
    if (this.open.every(({ cancelled }) => cancelled)) this.end();
  }

  end(): void {
    if (this.over) return;
    this.over = true;
    this.#abort?.abort();
    this.rest();
  }

  /** Nothing is on its way any more, or is waited for. */
  rest(): void {
    if (!this.runs) return;
    this.runs = false;
    this.connection.doneNow(this.errand);
  }
}
