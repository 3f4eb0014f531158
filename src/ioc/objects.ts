import type { Container } from 'inversify';
import { type Bound, ConfigError } from '../loader/index.js';
import { Bindings, isBound } from './bindings.js';
import { builtIns } from './built_ins.js';
import { type Entry, entryOf, keep, restore } from './entry.js';
import { CircularDependencyError, StartError } from './errors.js';
import { Graph } from './graph.js';
import type { IocObject } from './object.js';
import { Store } from './store.js';

/** The components of one container: what is registered, and the objects that come of it. */
export class Objects {
  readonly store: Store;
  readonly #bindings = new Bindings((entry, object) => this.#bound?.fill(entry.name, object));
  /** Something was registered since the bindings were brought in step. */
  #changed = true;
  /** The checked values, from setup to stop. */
  #bound: Bound | undefined;
  /** What is being built because code asked for it. */
  readonly #building: Entry[] = [];

  /** @param assertOpen throws when nothing can be registered now */
  constructor(assertOpen: (action: string) => void) {
    this.store = new Store({
      assertOpen,
      changed: () => (this.#changed = true),
      objectOf: (entry) => this.#objectOf(entry),
    });
  }

  /** In step with what is registered. */
  get container(): Container {
    if (this.#changed) this.#bindings.sync(this.store.entries());
    this.#changed = false;
    return this.#bindings.container;
  }

  /** Who needs whom, as registered at this moment. */
  graph(): Graph {
    const { container } = this;
    return new Graph(this.store.entries(), (want) => isBound(container, want));
  }

  /** What is registered, and what is taken over at the next setup. */
  expected(): readonly Entry[] {
    const entries = this.store.entries();
    const late = builtIns.map(({ namespace, type }) => entryOf(namespace, type));
    return [...entries, ...late.filter((one) => !entries.some((entry) => sameName(one, entry)))];
  }

  /** Takes over the built-in components, where their names are free. */
  adopt(): void {
    for (const { namespace, type } of builtIns) this.store.namespace(namespace).adopt(type);
  }

  /**
   * Builds all objects, fills and injects them. Those that code had before get their values first: what is built after
   * them may receive them.
   * @throws {ConfigError} a default would have to be replaced by a value
   * @throws {StartError} one could not be built
   */
  async build(bound: Bound): Promise<void> {
    const order = this.graph().order();
    for (const entry of order) keep(entry);
    this.#bound = bound;
    for (const entry of order) if (entry.value) bound.fill(entry.name, entry.value);
    for (const entry of order) {
      try {
        if (entry.value) this.#bindings.inject(entry.value);
        else await this.container.getAsync(entry.id);
      } catch (error) {
        throw buildError(entry, error);
      }
    }
  }

  /** Fresh objects for the next setup: classes are built anew, objects get back the values they came with. */
  renew(): void {
    this.#bound = undefined;
    for (const entry of this.store.entries()) {
      this.#bindings.renew(entry);
      restore(entry);
    }
  }

  /** Before setup a class is built on the spot, with what it injects; an object is as it was registered. */
  #objectOf(entry: Entry): IocObject {
    if (entry.value) return entry.value;
    if (entry.instance && !this.#bound) return entry.instance;
    const at = this.#building.indexOf(entry);
    if (at >= 0) throw new CircularDependencyError([...this.#building.slice(at), entry].map(({ name }) => name));
    this.#building.push(entry);
    try {
      if (!this.#bound) this.graph().order([entry]);
      return this.container.get<IocObject>(entry.id);
    } finally {
      this.#building.pop();
    }
  }
}

function sameName(one: Entry, other: Entry): boolean {
  return one.namespace === other.namespace && one.name === other.name;
}

/** Rings that run through bindings of the application's own are found by Inversify. */
function buildError(entry: Entry, error: unknown): Error {
  if (error instanceof ConfigError || error instanceof CircularDependencyError) return error;
  const ring = /^Circular dependency found: (.+ -> .+)$/.exec(error instanceof Error ? error.message : '');
  if (ring) return new CircularDependencyError(ring[1]!.split(' -> '), { cause: error });
  return new StartError(entry, 'construct', error);
}
