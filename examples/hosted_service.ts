// A component of one's own: filled from its section, given the locks, started and stopped by the container. What it does under
// a lock is done when the container stops.
import { setTimeout as sleep } from 'node:timers/promises';
import { ioc, lock } from 'mcube-lock';

class Report extends ioc.IocObject {
  @ioc.text({ about: 'What is reported on.' })
  topic = 'sales';

  @ioc.inject(lock.LockConfig)
  private readonly locks!: lock.LockConfig;

  readonly #building = new Set<Promise<void>>();

  override init(): void {
    console.log(`report on ${this.topic}: ready`);
  }

  /** Builds the report, unless another does: in this process, or wherever the provider of the locks reaches. */
  build(): Promise<void> {
    const building = this.#build().finally(() => this.#building.delete(building));
    this.#building.add(building);
    return building;
  }

  /** The locks are closed after this, and end with it what still runs under one. */
  override async close(): Promise<void> {
    await Promise.allSettled(this.#building);
    console.log(`report on ${this.topic}: closed`);
  }

  async #build(): Promise<void> {
    const outcome = await this.locks.factory().tryRun(`report:${this.topic}`, '10s', () => sleep(100, 'built'));
    console.log(`report on ${this.topic}: ${outcome.ran ? outcome.value : 'another builds it'}`);
  }
}

ioc.controller().registry(Report);
ioc.stopOnSignals({ limit: '25s' });
await ioc.developmentSetup();

const report = ioc.controller().load(Report);
const both = Promise.all([report.build(), report.build()]);

await ioc.stop();
await both;
