// A component of one's own: filled from its section, given the locks, started and stopped by the container.
import { ioc, lock } from 'mcube-lock';

class Report extends ioc.IocObject {
  @ioc.text({ about: 'What is reported on.' })
  topic = 'sales';

  @ioc.inject(lock.LockConfig)
  private readonly locks!: lock.LockConfig;

  override init(): void {
    console.log(`report on ${this.topic}: ready`);
  }

  /** Builds the report, unless another does: in this process, or wherever the provider of the locks reaches. */
  async build(): Promise<void> {
    const outcome = await this.locks.factory().tryRun(`report:${this.topic}`, '10s', () => 'built');
    console.log(`report on ${this.topic}: ${outcome.ran ? outcome.value : 'another builds it'}`);
  }

  override close(): void {
    console.log(`report on ${this.topic}: closed`);
  }
}

ioc.controller().registry(Report);
await ioc.developmentSetup();

const report = ioc.controller().load(Report);
await Promise.all([report.build(), report.build()]);

await ioc.stop();
