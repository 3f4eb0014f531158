import { InvalidArgumentError, NotReadyError } from '../errors.js';
import { addBuiltIn, builtInTypes } from './built_ins.js';
import { Ioc, type StopOptions } from './container.js';
import type { ComponentClass } from './entry.js';
import type { SetupOptions } from './load.js';
import type { Namespace } from './namespace.js';
import type { IocObject } from './object.js';
import type { SignalOptions } from './signals.js';
import type { DependencyNode } from './tree.js';

/** The container that the functions of this module work on; Go's has no other. */
export const defaultIoc = new Ioc();

/** Components that the others build on; they start first. Priority 99. */
export const config = (): Namespace => defaultIoc.config();
/** Priority 9; `ioc.default()` for whoever imports this module. */
export const defaultNamespace = (): Namespace => defaultIoc.default();
/** The application's own work. Priority 0. */
export const controller = (): Namespace => defaultIoc.controller();
/** What lets requests in; starts last and stops first. Priority -99. */
export const api = (): Namespace => defaultIoc.api();
/** A namespace of one's own; see `Ioc.namespace`. */
export const namespace = (name: string, priority?: number): Namespace => defaultIoc.namespace(name, priority);

/** Configures, builds and starts everything; see `Ioc.setup`. */
export const setup = (options?: SetupOptions): Promise<Ioc> => defaultIoc.setup(options);
/** `etc/application.toml` if it is there, `.env` if it is there, then the environment; see `Ioc.setup`. */
export const developmentSetup = (options?: SetupOptions): Promise<Ioc> => defaultIoc.developmentSetup(options);
/** The given file, `.env` if it is there, then the environment; see `Ioc.setup`. */
export const developmentSetupWithPath = (path: string): Promise<Ioc> => defaultIoc.developmentSetupWithPath(path);
/** The given files, a later one wins, `.env` if it is there, then the environment; see `Ioc.setup`. */
export const developmentSetupWithPaths = (...paths: readonly string[]): Promise<Ioc> =>
  defaultIoc.developmentSetupWithPaths(...paths);

/** Stops everything in reverse order; see `Ioc.stop`. */
export const stop = (options?: StopOptions): Promise<void> => defaultIoc.stop(options);
/** Stops everything when the process is asked to end; see `Ioc.stopOnSignals`. */
export const stopOnSignals = (options?: SignalOptions): (() => void) => defaultIoc.stopOnSignals(options);

/** Every component with what it has injected; see `Ioc.dependencies`. */
export const dependencies = (): DependencyNode[] => defaultIoc.dependencies();
/** Prints them as a tree. @see Go: ioc, PrintAllDependencies */
export const printDependencies = (write?: (text: string) => unknown): void => defaultIoc.printDependencies(write);

/**
 * A component of this package, before setup with its settings at their defaults.
 * @throws {InvalidArgumentError} it is no container, or another component has the name there
 * @throws {NotReadyError} the container runs without it
 */
export function builtIn<T extends IocObject>(container: Ioc, name: string): T {
  if (!(container instanceof Ioc))
    throw new InvalidArgumentError(
      'container',
      container,
      'a container, new ioc.Ioc(), or nothing for the default one',
    );
  container.adoptBuiltIns();
  const there = container
    .config()
    .entries()
    .find((entry) => entry.name === name);
  if (!there)
    throw new NotReadyError(
      `${name}: the container was set up before this component was imported; import it first, or call \`setup({ force: true })\``,
    );
  const ours = builtInTypes(name);
  if (ours.length > 0 && !ours.some((type) => there.type === type || there.type.prototype instanceof type)) {
    const right = `${ours.map((type) => type.name).join(' or ')}, or a class that extends it: give yours another name()`;
    throw new InvalidArgumentError(`component "${name}" of namespace "config"`, there.type.name, right);
  }
  return container.config().get<T>(name);
}

/**
 * Registers a component for every container, as Go's `init()` does when a package is imported: in the default one at
 * once, in others at their setup. Where its name is taken it is left out; where a container runs, it waits for the next
 * setup.
 * @throws {InvalidArgumentError} it is no class of components
 */
export function component(namespace: string, type: ComponentClass): void {
  addBuiltIn(namespace, type);
  defaultIoc.adoptBuiltIns();
}
