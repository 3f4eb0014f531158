import { Worker, workerData as ownData } from 'node:worker_threads';
import type { Milliseconds } from '../../../duration.js';
import { isLoss, ProviderError, ProviderUnreachableError, type LossReason } from '../errors.js';
import type { Lease } from '../lease.js';
import type { StoreCopy } from '../provider/index.js';
import type { LeaseRenewal, Renewal, RenewalFigures } from '../renewal.js';
import { Cell, FigureBoard, told } from './cell.js';
import type { Failure, Order, Report } from './messages.js';

/** What the thread begins with. */
export interface ThreadData {
  readonly copy: StoreCopy;
  /** The memory of the board for its figures. */
  readonly board: SharedArrayBuffer;
}

/** Whose leases are renewed. */
interface ThreadHost {
  readonly provider: string;
  /** The deadline of the lease may be another than before. */
  moved(lease: Lease): void;
  /** The provider has no such hold any more. */
  lose(lease: Lease): void;
  /** A renewal on this thread. */
  renewal(maxHold: Milliseconds): Renewal;
}

/** What is used of a Worker. */
export type WorkerLike = Pick<Worker, 'on' | 'postMessage' | 'ref' | 'unref' | 'terminate'>;

/** A refresh whose answer is missing. */
interface Question {
  readonly asked: Milliseconds;
  readonly done: (failure?: Error) => void;
}

/**
 * Renews the leases of a factory from a thread of its own, which a busy event loop does not hold up. The thread starts at
 * once, has connections of its own, and once it runs keeps no process alive. If it fails, its leases are renewed on this
 * thread from then on, with a warning.
 */
export class RenewalThread {
  readonly #board = new FigureBoard();
  readonly #renewals = new Map<number, RemoteRenewal>();
  readonly #byLease = new WeakMap<Lease, RemoteRenewal>();
  readonly #questions = new Map<number, Question>();
  #numbers = 0;
  #worker: WorkerLike | undefined;
  /** It failed, or was closed. */
  #over = false;
  #settled!: () => void;
  /** Settles when the thread runs, or has failed. */
  readonly ready = new Promise<void>((resolve) => (this.#settled = resolve));

  /** @param start starts the thread */
  constructor(
    copy: StoreCopy,
    private readonly host: ThreadHost,
    start: (data: ThreadData) => WorkerLike,
  ) {
    try {
      this.#worker = start({ copy, board: this.#board.memory });
      this.#worker.on('message', (report: Report) => this.#heard(report));
      this.#worker.on('error', (error) => this.#failed(error));
      this.#worker.on('exit', () => this.#failed(new Error('it ended')));
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  /** Undefined when this thread has to know for itself. */
  get figures(): RenewalFigures | undefined {
    return this.#over ? undefined : { leases: this.#renewals.size, ...this.#board.figures };
  }

  /** Keeps one lease alive, at most until `maxHold` after it is granted. */
  renewal(maxHold: Milliseconds): LeaseRenewal {
    return this.#over ? this.host.renewal(maxHold) : new RemoteRenewal(this, this.host, maxHold);
  }

  /** Whether the thread renews the lease, or did: what it has asked for it may be on its way. */
  renews(lease: Lease): boolean {
    return this.#byLease.has(lease);
  }

  /**
   * Gives a lease that is renewed here the lifetime `ttl` from now; undefined for another lease.
   * @throws {LockNotHeldError} it is not held any more, and stays so
   */
  refresh(lease: Lease, ttl: Milliseconds): Promise<void> | undefined {
    const renewal = this.#byLease.get(lease);
    return this.#over || !renewal ? undefined : this.#ask(lease, renewal.number, ttl);
  }

  /** @internal the lease is to be renewed from now on */
  take(renewal: RemoteRenewal, lease: Lease, cell: Cell, end: Milliseconds): number {
    const number = (this.#numbers += 1);
    // Under a token of one's own the next hold may have the same: what the thread still sends for this one would find it.
    if (this.#over || !lease.random) {
      renewal.comeBack();
      return number;
    }
    this.#renewals.set(number, renewal);
    this.#byLease.set(lease, renewal);
    const { key, token, metadata, ttl } = lease;
    const { memory } = cell;
    this.#tell({
      kind: 'renew',
      lease: number,
      key,
      token,
      metadata,
      ttl,
      end: told(end),
      cell: memory,
    });
    return number;
  }

  /** @internal the lease is over */
  drop(number: number, lost: boolean): void {
    if (this.#renewals.delete(number)) this.#tell({ kind: 'drop', lease: number, lost });
  }

  async close(): Promise<void> {
    this.#over = true;
    this.#settled();
    // Their leases are lost by then, and tell that.
    this.#answerAll();
    const worker = this.#worker;
    // Its end is waited for, and keeps the process alive.
    this.#worker = undefined;
    await worker?.terminate();
  }

  async #ask(lease: Lease, number: number, ttl: Milliseconds): Promise<void> {
    const question = (this.#numbers += 1);
    await new Promise<void>((resolve, reject) => {
      const done = (failure?: Error): void => (failure ? reject(failure) : resolve());
      this.#questions.set(question, { asked: performance.now(), done });
      // Somebody waits for the answer.
      this.#worker?.ref();
      this.#tell({ kind: 'refresh', lease: number, question, ttl });
    }).finally(() => {
      this.#questions.delete(question);
      this.#rest();
    });
    if (!lease.alive(performance.now())) throw lease.notHeld;
    lease.move(lease.until);
    this.host.moved(lease);
  }

  /** Nobody waits for it: it keeps no process alive. */
  #rest(): void {
    if (this.#questions.size === 0) this.#worker?.unref();
  }

  #heard(report: Report): void {
    if (report.kind === 'ready') {
      this.#settled();
      return this.#rest();
    }
    if (report.kind === 'refreshed') {
      const question = this.#questions.get(report.question);
      question?.done(report.failure && this.#error(report.failure, question));
      return;
    }
    const renewal = this.#renewals.get(report.lease);
    if (renewal) this.host.lose(renewal.lease);
  }

  #error({ why, message }: Failure, { asked }: Question): Error | undefined {
    // What is not held is known from its cell, too.
    if (why === 'not held') return undefined;
    if (why === 'refused') return new ProviderError(message);
    const cause = message === '' ? undefined : new Error(message);
    return new ProviderUnreachableError(this.host.provider, performance.now() - asked, cause);
  }

  #tell(order: Order): void {
    this.#worker?.postMessage(order);
  }

  #answerAll(failure?: Error): void {
    for (const { done } of this.#questions.values()) done(failure);
  }

  #failed(error: Error): void {
    if (this.#over) return;
    this.#over = true;
    this.#settled();
    process.emitWarning(
      `lock: the renewal thread failed; leases are renewed on the main thread from now on: ${error.message}`,
      { type: 'LockWarning', code: 'LOCK_RENEWAL_THREAD' },
    );
    const renewals = [...this.#renewals.values()];
    this.#renewals.clear();
    for (const renewal of renewals) renewal.comeBack();
    this.#answerAll(new ProviderUnreachableError(this.host.provider, 0, error));
  }
}

/** Keeps a lease alive from the thread; by itself once that has failed. */
class RemoteRenewal implements LeaseRenewal {
  number = 0;
  #lease: Lease | undefined;
  #cell: Cell | undefined;
  #life: Milliseconds = 0;
  #end: Milliseconds = Infinity;
  #local: Renewal | undefined;

  constructor(
    private readonly thread: RenewalThread,
    private readonly host: ThreadHost,
    private readonly maxHold: Milliseconds,
  ) {}

  get lease(): Lease {
    return this.#lease!;
  }

  get atDeadline(): LossReason {
    return this.#local?.atDeadline ?? this.#cell?.atDeadline ?? 'expired';
  }

  granted(lease: Lease): void {
    this.#lease = lease;
    this.#life = lease.ttl;
    this.#end = performance.now() + this.maxHold;
    this.#cell = new Cell();
    this.#cell.until = lease.until;
    this.number = this.thread.take(this, lease, this.#cell, this.#end);
  }

  refreshed(life: Milliseconds): void {
    this.#life = life;
    this.#local?.refreshed(life);
  }

  rest(): void {
    this.#local?.rest();
    this.#cell?.end('ended');
    const state = this.#lease?.state ?? 'ended';
    this.thread.drop(this.number, isLoss(state) && state !== 'taken' && state !== 'closed');
  }

  look(lease: Lease): void {
    if (this.#local || !this.#cell) return;
    if (!this.#cell.taken) return void (lease.until = this.#cell.until);
    lease.lose('taken');
    // Who stands behind it asks now, but not in the middle of whatever looked.
    queueMicrotask(() => this.host.lose(lease));
  }

  /** There is no other thread any more. */
  comeBack(): void {
    const lease = this.lease;
    if (!lease.alive(performance.now())) return;
    this.#local = this.host.renewal(this.#end - performance.now());
    this.#local.granted(lease);
    this.#local.refreshed(this.#life);
  }
}

/** Starts the thread itself. Its file has a name that no application has: a bundler leaves it out, and runs what is beside it. */
export function startThread(workerData: ThreadData): WorkerLike {
  if ((ownData as Partial<ThreadData> | null)?.board instanceof SharedArrayBuffer) {
    throw new Error('the application itself runs in that thread');
  }
  return new Worker(new URL('./mcube_lock_renewals.js', import.meta.url), {
    workerData,
    name: 'mcube-lock renewals',
    // Loaders of the application, which would be started once more, have nothing to do there.
    execArgv: [],
  });
}
