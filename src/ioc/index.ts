/**
 * The container: registers components, gives them their configuration and each other, starts and stops them in order.
 * The functions here work on the container that the process shares; `new Ioc()` makes one of one's own.
 * @see Go: ioc
 */
import 'reflect-metadata';

export { InvalidArgumentError, IocError, NotReadyError } from '../errors.js';
export { Ioc, type StopOptions } from './container.js';
export {
  api,
  builtIn,
  component,
  config,
  controller,
  defaultIoc,
  defaultNamespace as default,
  dependencies,
  developmentSetup,
  developmentSetupWithPath,
  developmentSetupWithPaths,
  namespace,
  printDependencies,
  setup,
  stop,
  stopOnSignals,
} from './default.js';
export { type ComponentClass } from './entry.js';
export {
  AmbiguousObjectError,
  CircularDependencyError,
  CloseError,
  ContainerRunningError,
  DuplicateObjectError,
  ObjectNotFoundError,
  StartError,
  StopError,
  type Place,
  type Step,
} from './errors.js';
export { id } from './inject.js';
export { type SetupOptions } from './load.js';
export { type Namespace, type ObjectInfo } from './namespace.js';
export { type CloseOptions, IocObject, type MaybeAsync, type ObjectMeta } from './object.js';
export { type SignalOptions } from './signals.js';
export { type DependencyNode } from './tree.js';

export {
  inject,
  injectable,
  injectFromBase,
  LazyServiceIdentifier,
  multiInject,
  named,
  optional,
  tagged,
} from 'inversify';

export {
  choice,
  ConfigError,
  describe,
  duration,
  envName,
  type FieldDecorator,
  type FieldInfo,
  type FieldOptions,
  fieldsOf,
  flag,
  integer,
  list,
  type LoadRequest,
  type Mistake,
  number,
  refuse,
  table,
  text,
} from '../loader/index.js';
