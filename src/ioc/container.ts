import type { Container } from 'inversify';
import { type Bound, ConfigError, readConfiguration } from '../loader/index.js';
import { Bindings, isBound } from './bindings.js';
import { builtIns } from './built_ins.js';
import { checkOptions, SIGNAL } from './check.js';
import { type Entry, restore } from './entry.js';
import {
  AmbiguousObjectError,
  CircularDependencyError,
  ContainerRunningError,
  ObjectNotFoundError,
  StartError,
  StopError,
} from './errors.js';
import { Graph } from './graph.js';
import { Hurry, orAborted } from './hurry.js';
import { start, stop } from './lifecycle.js';
import { checkSetup, development, developmentWith, type SetupOptions } from './load.js';
import type { Namespace } from './namespace.js';
import type { IocObject } from './object.js';
import { type SignalOptions, stopOnSignals } from './signals.js';
import { Store } from './store.js';
import { type DependencyNode, tree, treeText } from './tree.js';
import { Turns } from './turns.js';

/** How long a stop may take. */
export interface StopOptions {
  /** Once it aborts, what hangs is abandoned and reported, and the rest is still stopped. */
  readonly signal?: AbortSignal;
}

/**
 * A container of components: registers, configures, injects, starts and stops them. Two of them share nothing.
 * @see Go: ioc, DefaultStore
 */
export class Ioc {
  readonly #store = new Store({
    assertOpen: (action) => this.#assertOpen(action),
    changed: () => (this.#changed = true),
    objectOf: (entry) => this.#objectOf(entry),
  });
  readonly #bindings = new Bindings((entry, object) => this.#bound?.fill(entry.name, object));
  readonly #turns = new Turns();
  readonly #listeners = new Set<() => void>();
  /** What is being built because code asked for it. */
  readonly #building: Entry[] = [];
  /** Something was registered since the bindings were brought in step. */
  #changed = true;
  /** The checked values, from setup to stop. */
  #bound: Bound | undefined;
  #started: readonly Entry[] | undefined;
  #stopping: Stopping | undefined;

  /** Components that the others build on; they start first. Priority 99. */
  config(): Namespace {
    return this.#store.namespace('config');
  }

  /** Priority 9. */
  default(): Namespace {
    return this.#store.namespace('default');
  }

  /** The application's own work. Priority 0. */
  controller(): Namespace {
    return this.#store.namespace('controller');
  }

  /** What lets requests in; starts last and stops first. Priority -99. */
  api(): Namespace {
    return this.#store.namespace('api');
  }

  /**
   * A namespace of one's own, or any other by its name.
   * @param priority the higher starts earlier; 0 when left out
   * @throws {InvalidArgumentError} it exists with another priority
   */
  namespace(name: string, priority?: number): Namespace {
    return this.#store.namespace(name, priority);
  }

  /** The Inversify container behind this one, for bindings of one's own. */
  get container(): Container {
    return this.#synced().container;
  }

  /** Whether it is set up, and no stop has begun. */
  get ready(): boolean {
    return this.#started !== undefined && this.#stopping === undefined;
  }

  /**
   * Reads the configuration, builds, fills and injects all components, and starts them in order. Does nothing when that
   * is done already; two calls at once share one run; during a stop it waits.
   * @returns this container
   * @throws {ConfigError} the configuration is wrong; nothing was started
   * @throws {CircularDependencyError} components need each other in a ring
   * @throws {StartError} a component failed; those that had started are closed, and setup may be called again
   * @see Go: ioc, ConfigIocObject
   */
  async setup(options: SetupOptions = {}): Promise<this> {
    checkSetup(options);
    const { last } = this.#turns;
    if (last?.kind === 'setup') return last.done.then(() => this);
    if (!last && this.#started && !options.force) return this;
    await this.#turns.take('setup', () => this.#setUp(options));
    return this;
  }

  /** `etc/application.toml` if it is there, `.env` if it is there, then the environment. */
  async developmentSetup(options: SetupOptions = {}): Promise<this> {
    return this.setup(development(options));
  }

  /** The given file, `.env` if it is there, then the environment. A missing file is an error. */
  async developmentSetupWithPath(path: string): Promise<this> {
    return this.setup(developmentWith([path]));
  }

  /** The given files, a later one wins, `.env` if it is there, then the environment. A missing file is an error. */
  async developmentSetupWithPaths(...paths: readonly string[]): Promise<this> {
    return this.setup(developmentWith(paths));
  }

  /**
   * Stops all components in reverse order. Does nothing when none is started; two calls at once share one run; during a
   * setup it waits for that, and rejects with the signal's reason when that takes too long.
   * @throws {StopError} some failed; all had their turn, and the container is stopped
   */
  async stop(options: StopOptions = {}): Promise<void> {
    checkOptions('stop', options, { signal: SIGNAL });
    const isNext = this.#turns.last?.kind === 'stop';
    const stopping = (isNext && this.#stopping) || this.#beginStop();
    stopping.hurry.join(options.signal);
    await orAborted(stopping.begun, options.signal);
    await stopping.done;
  }

  /**
   * Stops this container when the process is asked to end, and ends the process as it was asked. A second signal ends it
   * at once. Does not keep the process alive, and is over with the next `stop()`.
   * @returns takes the listeners off again
   */
  stopOnSignals(options: SignalOptions = {}): () => void {
    const remove = stopOnSignals(this, options);
    this.#listeners.add(remove);
    return () => {
      this.#listeners.delete(remove);
      remove();
    };
  }

  /**
   * Every component, in the order they start, with what it has injected.
   * @throws {CircularDependencyError} they need each other in a ring
   * @throws {ObjectNotFoundError} something that one needs is not there
   */
  dependencies(): DependencyNode[] {
    return tree(this.#graph(), this.#store.entries());
  }

  /** Prints `dependencies()` as a tree. */
  printDependencies(write: (text: string) => unknown = (text) => process.stdout.write(text)): void {
    write(treeText(this.dependencies()));
  }

  /** @internal Takes over the built-in components that it has none of that name for; not while it runs. */
  adoptBuiltIns(): void {
    if (!this.#started && !this.#turns.last) this.#adopt();
  }

  #adopt(): void {
    for (const { namespace, type } of builtIns) this.#store.namespace(namespace).adopt(type);
  }

  async #setUp({ force = false, ...request }: SetupOptions): Promise<void> {
    if (this.#started && !force) return;
    if (this.#started) await this.#stopStarted(NEVER);
    this.#adopt();
    const entries = this.#store.entries();
    const bound = readConfiguration(request).bind(entries);
    try {
      const order = this.#graph().order();
      this.#bound = bound;
      await this.#build(order);
      await start(entries);
      this.#started = entries;
    } catch (error) {
      this.#renew();
      throw startError(error);
    }
  }

  /** Values go first: what is built later may receive what code already had before setup. */
  async #build(order: readonly Entry[]): Promise<void> {
    const { container } = this.#synced();
    for (const entry of order) if (entry.value) this.#bound?.fill(entry.name, entry.value);
    for (const entry of order) {
      try {
        if (entry.value) this.#bindings.inject(entry.value);
        else await container.getAsync(entry.id);
      } catch (error) {
        throw buildError(entry, error);
      }
    }
  }

  /** Takes a turn of its own, after a setup that was asked for in between too. */
  #beginStop(): Stopping {
    const hurry = new Hurry();
    let begin = () => {};
    const begun = new Promise<void>((resolve) => (begin = resolve));
    const done = this.#turns.take('stop', async () => {
      begin();
      try {
        await this.#stopStarted(hurry.signal);
      } finally {
        if (this.#stopping === stopping) this.#stopping = undefined;
        hurry.end();
        for (const remove of this.#listeners) remove();
        this.#listeners.clear();
      }
    });
    done.catch(() => {}); // one who gave up waiting for the setup before never asks
    const stopping = { hurry, begun, done };
    this.#stopping = stopping;
    return stopping;
  }

  async #stopStarted(signal: AbortSignal): Promise<void> {
    const entries = this.#started;
    if (!entries) return;
    this.#started = undefined;
    const errors = await stop(entries, signal);
    this.#renew();
    if (errors.length) throw new StopError(errors);
  }

  /** Fresh objects for the next setup: classes are built anew, objects get back the values they came with. */
  #renew(): void {
    this.#bound = undefined;
    for (const entry of this.#store.entries()) {
      this.#bindings.renew(entry);
      restore(entry);
    }
  }

  #objectOf(entry: Entry): IocObject {
    if (entry.value) return entry.value;
    if (entry.instance && !this.#bound) return entry.instance;
    const at = this.#building.indexOf(entry);
    if (at >= 0) throw new CircularDependencyError([...this.#building.slice(at), entry].map(({ name }) => name));
    this.#building.push(entry);
    try {
      if (!this.#bound) this.#graph().order([entry]);
      return this.#synced().container.get<IocObject>(entry.id);
    } finally {
      this.#building.pop();
    }
  }

  #graph(): Graph {
    const { container } = this.#synced();
    return new Graph(this.#store.entries(), (want) => isBound(container, want));
  }

  /** The bindings, in step with what is registered. */
  #synced(): Bindings {
    if (this.#changed) this.#bindings.sync(this.#store.entries());
    this.#changed = false;
    return this.#bindings;
  }

  #assertOpen(action: string): void {
    if (!this.#started && !this.#turns.last) return;
    throw new ContainerRunningError(
      `cannot ${action}: the container is set up; register before setup() or after stop()`,
    );
  }
}

/** A stop that was asked for. */
interface Stopping {
  readonly hurry: Hurry;
  /** Once the setup before it is done. */
  readonly begun: Promise<void>;
  readonly done: Promise<void>;
}

const NEVER = new AbortController().signal;

function startError(error: unknown): unknown {
  const isWish = error instanceof ObjectNotFoundError || error instanceof AmbiguousObjectError;
  return isWish && error.wantedBy ? new StartError(error.wantedBy, 'inject', error) : error;
}

/** Rings that run through bindings of the application's own are found by Inversify. */
function buildError(entry: Entry, error: unknown): Error {
  if (error instanceof ConfigError || error instanceof CircularDependencyError) return error;
  const ring = /^Circular dependency found: (.+ -> .+)$/.exec(error instanceof Error ? error.message : '');
  if (ring) return new CircularDependencyError(ring[1]!.split(' -> '), { cause: error });
  return new StartError(entry, 'construct', error);
}
