import { InvalidArgumentError } from '../errors.js';
import { type ComponentClass, entryOf } from './entry.js';

/** A component that every container gets at its setup, unless it has one of that name. */
interface BuiltIn {
  readonly namespace: string;
  readonly type: ComponentClass;
}

export const builtIns: BuiltIn[] = [];

/** @throws {InvalidArgumentError} it is no class of components: an object would be shared by all containers */
export function addBuiltIn(namespace: string, type: ComponentClass): void {
  if (typeof type !== 'function') throw new InvalidArgumentError('component', type, 'a class that extends IocObject');
  entryOf(namespace, type);
  builtIns.push({ namespace, type });
}
