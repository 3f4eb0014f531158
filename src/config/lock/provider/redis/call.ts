import type { Op } from './script.js';

/** Who wants to know what became of a call. */
export interface Receiver {
  answered(reply: unknown, call: Call): void;
  failed(error: Error, call: Call): void;
}

/** One operation on its way to the server. */
export class Call {
  /** When it was last sent, on `performance.now()`; 0 while it was not. */
  sent = 0;
  /** Whether it was sent more than once: then "not yours" may mean that the first one had arrived. */
  repeated = false;
  /** Nobody wants it any more: it is not sent (again). */
  cancelled = false;
  /** Those it travels with; told when it is cancelled. */
  flight: { left(): void } | undefined = undefined;
  #receiver: Receiver | undefined;

  /**
   * @param key the lock's key, prefix included
   * @param args what the operation takes, in the order that the script tells
   * @param fences how many fences it takes when it is granted
   * @param errand of the background: tried once, and no reason for the process to stay alive
   */
  constructor(
    readonly op: Op,
    readonly key: string,
    readonly args: readonly string[],
    readonly fences: number,
    readonly errand: boolean,
    receiver: Receiver,
  ) {
    this.#receiver = receiver;
  }

  /** The first of these tells the receiver; what comes later finds nobody. */
  resolve(reply: unknown): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.answered(reply, this);
  }

  reject(error: Error): void {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    receiver?.failed(error, this);
  }

  cancel(reason: Error): void {
    this.cancelled = true;
    this.reject(reason);
    this.flight?.left();
  }
}

/** The answer of a call as a promise of what `read` makes of it. */
export class Reply<T> implements Receiver {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (error: Error) => void;

  constructor(private readonly read: (reply: unknown, call: Call) => T) {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  answered(reply: unknown, call: Call): void {
    this.#resolve(this.read(reply, call));
  }

  failed(error: Error): void {
    this.#reject(error);
  }
}
