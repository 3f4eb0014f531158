import type { Container } from 'inversify';
import { readConfiguration } from '../loader/index.js';
import { checkOptions, SIGNAL } from './check.js';
import type { Entry } from './entry.js';
import { AmbiguousObjectError, ContainerRunningError, ObjectNotFoundError, StartError, StopError } from './errors.js';
import { start, stop } from './lifecycle.js';
import { checkSetup, development, developmentWith, type SetupOptions } from './load.js';
import type { Namespace } from './namespace.js';
import { Objects } from './objects.js';
import { type SignalOptions, stopOnSignals } from './signals.js';
import { Stopping } from './stopping.js';
import { type DependencyNode, tree, treeText } from './tree.js';
import { Turns } from './turns.js';

/** How long a stop may take. */
export interface StopOptions {
  /** Once it aborts, what hangs is abandoned and reported, and the rest is still stopped. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A container of components: registers, configures, injects, starts and stops them. Two of them share nothing.
 * @see Go: ioc, DefaultStore
 */
export class Ioc {
  readonly #objects = new Objects((action) => this.#assertOpen(action));
  readonly #turns = new Turns();
  readonly #listeners = new Set<() => void>();
  #started: readonly Entry[] | undefined;
  /** The stop that was asked for last. */
  #stopping: Stopping | undefined;

  /** Components that the others build on; they start first. Priority 99. */
  config(): Namespace {
    return this.#objects.store.namespace('config');
  }

  /** Priority 9. */
  default(): Namespace {
    return this.#objects.store.namespace('default');
  }

  /** The application's own work. Priority 0. */
  controller(): Namespace {
    return this.#objects.store.namespace('controller');
  }

  /** What lets requests in; starts last and stops first. Priority -99. */
  api(): Namespace {
    return this.#objects.store.namespace('api');
  }

  /**
   * A namespace of one's own, or any other by its name.
   * @param priority the higher starts earlier; 0 when left out
   * @throws {InvalidArgumentError} it exists with another priority
   */
  namespace(name: string, priority?: number): Namespace {
    return this.#objects.store.namespace(name, priority);
  }

  /** The Inversify container behind this one, for bindings of one's own. */
  get container(): Container {
    return this.#objects.container;
  }

  /** Whether it is set up, and no stop has begun. */
  get ready(): boolean {
    return this.#started !== undefined;
  }

  /**
   * Reads the configuration, builds, fills and injects all components, and starts them in order. Does nothing when that
   * is done already; two calls at once share one run; during a stop it waits.
   * @returns this container
   * @throws {ConfigError} the configuration is wrong; nothing was started
   * @throws {CircularDependencyError} components need each other in a ring
   * @throws {StartError} a component failed; those that had started are closed, and setup may be called again
   * @throws {StopError} with `force`: what ran before did not stop cleanly, and nothing was set up anew
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
    await stopping.wait(options.signal);
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
    return tree(this.#objects.graph(), this.#objects.store.entries());
  }

  /** Prints `dependencies()` as a tree. */
  printDependencies(write: (text: string) => unknown = (text) => process.stdout.write(text)): void {
    write(treeText(this.dependencies()));
  }

  /** @internal Takes over the built-in components whose names are free; while it runs, that waits for the next setup. */
  adoptBuiltIns(): void {
    if (this.#isOpen) this.#objects.adopt();
  }

  async #setUp({ force = false, ...request }: SetupOptions): Promise<void> {
    if (this.#started && !force) return;
    // A mistake in the new values leaves what runs as it is.
    if (this.#started) readConfiguration(request).bind(this.#objects.expected());
    await this.#stopStarted(NEVER);
    this.#objects.adopt();
    const entries = this.#objects.store.entries();
    const bound = readConfiguration(request).bind(entries);
    try {
      await this.#objects.build(bound);
      await start(entries);
      this.#started = entries;
    } catch (error) {
      this.#objects.renew();
      throw startError(error);
    }
  }

  /** Takes a turn of its own, after a setup that was asked for in between too. */
  #beginStop(): Stopping {
    this.#stopping = new Stopping(
      (work) => this.#turns.take('stop', work),
      (signal) => this.#stopStarted(signal).finally(() => this.#listenNoMore()),
    );
    return this.#stopping;
  }

  #listenNoMore(): void {
    for (const remove of this.#listeners) remove();
    this.#listeners.clear();
  }

  async #stopStarted(signal: AbortSignal): Promise<void> {
    const entries = this.#started;
    if (!entries) return;
    this.#started = undefined;
    const errors = await stop(entries, signal);
    this.#objects.renew();
    if (errors.length) throw new StopError(errors);
  }

  get #isOpen(): boolean {
    return !this.#started && !this.#turns.last;
  }

  #assertOpen(action: string): void {
    if (this.#isOpen) return;
    throw new ContainerRunningError(
      `cannot ${action}: the container is set up; register before setup() or after stop()`,
    );
  }
}

const NEVER = new AbortController().signal;

/** A component that lacks what it has injected did not start. */
function startError(error: unknown): unknown {
  const isWish = error instanceof ObjectNotFoundError || error instanceof AmbiguousObjectError;
  return isWish && error.wantedBy ? new StartError(error.wantedBy, 'inject', error) : error;
}
