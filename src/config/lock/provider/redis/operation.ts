import type { Milliseconds } from '../../../../duration.js';
import type { Asker } from '../store.js';
import type { Letter } from './script.js';

/** Who wants to know what became of an operation. */
export interface Receiver {
  /** @param now as that of `Asker` */
  answered(reply: unknown, operation: Operation, now?: Milliseconds): void;
  failed(error: Error, operation: Operation): void;
}

/** One operation on its way to the server. */
export class Operation {
  /** When it was last sent, on `performance.now()`; 0 while it was not. */
  sent = 0;
  /** The connection that it was first sent on, by their count. */
  generation = 0;
  /** Whether it was sent more than once: then "not yours" may mean that the first one had arrived. */
  repeated = false;
  /** Nobody wants it any more: it is not sent (again). */
  cancelled = false;
  /** Those it travels with; told when it is cancelled. */
  flight: { readonly server: string; readonly why: Error | undefined; left(): void } | undefined = undefined;
  /** Whether it has come too late to be sent: it would find what somebody else has asked for since. */
  isOvertaken: (() => boolean) | undefined = undefined;
  /** Whether something else may have ended the hold before it did: it was held back for that, or an undoing of another wait came first. */
  forestalled = false;
  /** Who wants to know that it is answered, or is not any more. */
  onOver: (() => void) | undefined = undefined;
  #receiver: Receiver | undefined;

  /**
   * @param key the lock's key, prefix included
   * @param value of the holder or of who wants to be
   * @param plain the value is a random token without metadata: all of them are of one length
   * @param ttl undefined where the operation takes none
   * @param more what it takes besides, in the order that the script tells
   * @param fences how many fences it takes when it is granted
   * @param errand of the background: tried once, and no reason for the process to stay alive
   */
  constructor(
    readonly letter: Letter,
    readonly key: string,
    readonly value: string,
    readonly plain: boolean,
    readonly ttl: Milliseconds | undefined,
    readonly more: readonly string[],
    readonly fences: number,
    readonly errand: boolean,
    receiver: Receiver,
  ) {
    this.#receiver = receiver;
  }

  /** Whether nobody waits for its answer any more. */
  get isOver(): boolean {
    return this.#receiver === undefined;
  }

  /** What the operation takes, as the script reads it. */
  get texts(): readonly string[] {
    return this.ttl === undefined ? [this.value, ...this.more] : [this.value, String(this.ttl), ...this.more];
  }

  /** The first of these tells the receiver; nobody is told any more after that. */
  resolve(reply: unknown, now?: Milliseconds): void {
    this.over()?.answered(reply, this, now);
  }

  reject(error: Error): void {
    this.over()?.failed(error, this);
  }

  /** What was sent did nothing; what was sent before that may have. */
  notRun(): void {
    if (!this.repeated) this.sent = 0;
  }

  /** It counts as answered by this, and is not sent again. */
  settle(reply: unknown): void {
    const { flight } = this;
    this.cancelled = true;
    this.resolve(reply);
    flight?.left();
  }

  cancel(reason: Error): void {
    const { flight } = this;
    this.cancelled = true;
    this.reject(reason);
    flight?.left();
  }

  /** Keeps nobody else in memory from now on: a lock that is held for long remembers its operation. */
  private over(): Receiver | undefined {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    this.flight = undefined;
    this.isOvertaken = undefined;
    this.onOver?.();
    this.onOver = undefined;
    return receiver;
  }
}

/** Reads the answer of an operation for who asked. */
export class Reading<T> implements Receiver {
  constructor(
    private readonly asker: Asker<T>,
    private readonly read: (reply: unknown, operation: Operation) => T,
  ) {}

  answered(reply: unknown, operation: Operation): void {
    this.asker.answered(this.read(reply, operation));
  }

  failed(error: Error): void {
    this.asker.failed(error);
  }
}

/** Who asks and gets a promise of the answer. */
export class Promised<T> implements Asker<T> {
  readonly promise: Promise<T>;
  #resolve!: (value: T) => void;
  #reject!: (error: unknown) => void;

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  answered(answer: T): void {
    this.#resolve(answer);
  }

  failed(error: unknown): void {
    this.#reject(error);
  }
}
