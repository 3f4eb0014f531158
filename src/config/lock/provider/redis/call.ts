import type { Milliseconds } from '../../../../duration.js';
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

  /** @param errand of the background: tried once, and no reason for the process to stay alive */
  constructor(
    readonly op: Op,
    readonly key: string,
    readonly value: string,
    readonly ttl: Milliseconds,
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
