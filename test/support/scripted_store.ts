import type { Answer, Ask, Grant, LockStore, Refusal } from '../../src/config/lock/provider/store.js';

/** A store whose answers a test gives one by one. */
export class ScriptedStore implements LockStore {
  readonly provider = 'scripted';
  readonly shortestTtl = 1;
  readonly questions: { ask: Ask; answer: (answer: Grant | Refusal | Error) => void }[] = [];
  readonly abandoned: Ask[] = [];
  fence = 0;
  pass?: (from: Ask) => Grant;

  deadline(sent: number, ttl: number): number {
    return sent + ttl;
  }
  obtain(ask: Ask): Answer<Grant | Refusal> {
    return new Promise((resolve, reject) => {
      const answer = (given: Grant | Refusal | Error): void =>
        given instanceof Error ? reject(given) : resolve(given);
      this.questions.push({ ask, answer });
    });
  }
  async refresh(_ask: Ask, ttl: number): Promise<number | undefined> {
    return performance.now() + ttl;
  }
  release(): Answer<boolean> {
    return Promise.resolve(true);
  }
  async left(_ask: Ask): Promise<number> {
    return 0;
  }
  abandon(ask: Ask): void {
    this.abandoned.push(ask);
  }
  pause(): number {
    return 100;
  }
  async close(): Promise<void> {}

  grant(ttl = 1_000): Grant {
    return { granted: true, fence: (this.fence += 1), until: performance.now() + ttl };
  }
  refuse(): Refusal {
    return { granted: false, asked: performance.now(), left: 1_000 };
  }
}
