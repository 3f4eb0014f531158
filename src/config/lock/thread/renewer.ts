import type { MessagePort } from 'node:worker_threads';
import { LockNotHeldError, ProviderUnreachableError } from '../errors.js';
import { Lease, type LeaseWatcher } from '../lease.js';
import type { LockStore } from '../provider/store.js';
import { Refreshes } from '../refresh.js';
import { Renewal, Renewals } from '../renewal.js';
import { Cell, read, type FigureBoard } from './cell.js';
import type { Failure, Order, Report } from './messages.js';

/** A lease of another thread: what is known of it goes into its cell. */
class Shadow implements LeaseWatcher {
  readonly number: number;
  readonly lease: Lease;
  readonly renewal: Renewal;

  constructor(
    { lease: number, key, ttl, token, metadata, end }: Order & { kind: 'renew' },
    readonly cell: Cell,
    renewals: Renewals,
  ) {
    this.number = number;
    this.lease = new Lease(key, ttl, { token, metadata });
    this.renewal = new Renewal(renewals, read(end) - performance.now(), (reason) => (cell.atDeadline = reason));
    this.lease.watcher = this;
    this.lease.grant(0, cell.until);
  }

  /** Its holder may have ended it. */
  look(lease: Lease): void {
    if (!this.cell.held) lease.state = 'ended';
  }

  granted(lease: Lease): void {
    this.renewal.granted(lease);
  }

  moved({ until }: Lease): void {
    this.cell.until = until;
  }

  lost(): void {
    this.renewal.rest();
  }

  get atDeadline() {
    return this.renewal.atDeadline;
  }
}

/**
 * Renews the leases of another thread by what it is told, with connections of its own. That thread reads their deadlines
 * from memory that both share, so that it is right about them even if it has no time for messages.
 */
export class Renewer {
  readonly #shadows = new Map<number, Shadow>();
  readonly #renewals: Renewals;
  readonly #refreshes: Refreshes;

  constructor(
    private readonly port: Pick<MessagePort, 'on' | 'postMessage'>,
    private readonly store: LockStore,
    board: FigureBoard,
  ) {
    this.#refreshes = new Refreshes(
      {
        deadline: (sent, ttl) => store.deadline(sent, ttl),
        refresh: (lease, ttl, limit) => store.refresh(lease, ttl, limit),
        // Its holder says whether it is lost, and then it is freed.
        abandon: () => undefined,
      },
      { moved: () => undefined, gone: (lease) => this.#taken(lease), isTakenOver: () => false },
    );
    this.#renewals = new Renewals({
      store,
      renew: (lease, ttl, limit) => this.#refreshes.renew(lease, ttl, limit),
      rounded: () => (board.figures = this.#renewals.figures),
    });
    port.on('message', (order: Order) => this.#obey(order));
    this.#report({ kind: 'ready' });
  }

  #obey(order: Order): void {
    if (order.kind === 'renew') {
      const shadow = new Shadow(order, new Cell(order.cell), this.#renewals);
      this.#shadows.set(order.lease, shadow);
      return;
    }
    const shadow = this.#shadows.get(order.lease);
    if (order.kind === 'refresh') void this.#refresh(order, shadow);
    else if (shadow) this.#drop(order, shadow);
  }

  async #refresh({ question, ttl }: Order & { kind: 'refresh' }, shadow: Shadow | undefined): Promise<void> {
    let failure: Failure | undefined;
    try {
      if (!shadow) throw new LockNotHeldError('');
      await this.#refreshes.refresh(shadow.lease, ttl);
      shadow.renewal.refreshed(ttl);
    } catch (error) {
      failure = failureOf(error as Error);
    }
    this.#report({ kind: 'refreshed', question, failure });
  }

  #drop({ lease, lost }: Order & { kind: 'drop' }, shadow: Shadow): void {
    this.#shadows.delete(lease);
    shadow.renewal.rest();
    // A renewal that is on its way may make it longer, for nobody.
    if (lost) Promise.resolve(this.store.release(shadow.lease)).catch(() => undefined);
  }

  #taken(lease: Lease): void {
    const shadow = lease.watcher as Shadow;
    if (this.#shadows.get(shadow.number) === shadow) {
      shadow.cell.end('taken');
      this.#report({ kind: 'taken', lease: shadow.number });
    }
    lease.lose('taken');
  }

  #report(report: Report): void {
    this.port.postMessage(report);
  }
}

function failureOf(error: Error): Failure {
  const why =
    error instanceof LockNotHeldError
      ? 'not held'
      : error instanceof ProviderUnreachableError
        ? 'unreachable'
        : 'refused';
  const { cause } = error;
  return { why, message: why === 'unreachable' ? (cause instanceof Error ? cause.message : '') : error.message };
}
