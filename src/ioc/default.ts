import { addBuiltIn } from './built_ins.js';
import { Ioc } from './container.js';
import type { ComponentClass } from './entry.js';

/** The container that the functions of this module work on; Go's has no other. */
export const defaultIoc = new Ioc();

export const config = defaultIoc.config.bind(defaultIoc);
export const defaultNamespace = defaultIoc.default.bind(defaultIoc);
export const controller = defaultIoc.controller.bind(defaultIoc);
export const api = defaultIoc.api.bind(defaultIoc);
export const namespace = defaultIoc.namespace.bind(defaultIoc);
export const setup = defaultIoc.setup.bind(defaultIoc);
export const developmentSetup = defaultIoc.developmentSetup.bind(defaultIoc);
export const developmentSetupWithPath = defaultIoc.developmentSetupWithPath.bind(defaultIoc);
export const developmentSetupWithPaths = defaultIoc.developmentSetupWithPaths.bind(defaultIoc);
export const stop = defaultIoc.stop.bind(defaultIoc);
export const stopOnSignals = defaultIoc.stopOnSignals.bind(defaultIoc);
export const dependencies = defaultIoc.dependencies.bind(defaultIoc);
export const printDependencies = defaultIoc.printDependencies.bind(defaultIoc);

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
