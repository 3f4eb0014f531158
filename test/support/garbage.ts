import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from '@jest/globals';
import { eventually } from './time.js';

/** What should not be kept in memory, by its name. */
export class Parts {
  readonly #kept = new Map<string, WeakRef<object>>();

  /** An object of which nothing else knows. */
  part(name: string): object {
    return this.add(name, {});
  }

  add<T extends object>(name: string, part: T): T {
    this.#kept.set(name, new WeakRef(part));
    return part;
  }

  /** Throws unless none of these is there any more. */
  async collected(): Promise<void> {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await eventually(() => {
      collect();
      expect([...this.#kept].filter(([, ref]) => ref.deref()).map(([name]) => name)).toEqual([]);
    }, 1_000);
  }
}
