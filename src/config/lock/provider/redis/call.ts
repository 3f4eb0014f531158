import type { Op } from './script.js';

/** One operation on its way to the server. */
export class Call {
  /** When it was last sent, on `performance.now()`; 0 while it was not. */
  sent = 0;
  /** Whether it was sent more than once: then "not yours" may mean that the first one had arrived. */
  repeated = false;
  /** Nobody wants it any more: it is not sent (again). */
  cancelled = false;
  /** Called when it is cancelled. */
  onCancel: (() => void) | undefined;
  readonly reply: Promise<unknown>;
  resolve!: (reply: unknown) => void;
  reject!: (error: Error) => void;

  /**
   * @param key the lock's key, prefix included
   * @param args what the operation takes, in the order that the script tells
   * @param fences how many fences it takes when it is granted
   * @param errand of the background: tried once, and no reason for the process to stay alive
   */
  constructor(
    readonly op: Op,
    readonly key: string,
    readonly args: readonly (string | number)[],
    readonly fences: number,
    readonly errand: boolean,
  ) {
    this.reply = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }

  cancel(reason: Error): void {
    this.cancelled = true;
    this.reject(reason);
    this.onCancel?.();
  }
}
