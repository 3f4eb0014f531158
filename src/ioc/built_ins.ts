import { InvalidArgumentError } from '../errors.js';
import { type ComponentClass, entryOf } from './entry.js';
import type { IocObject } from './object.js';

/** A component that every container gets at its setup, unless it has one of that name. */
interface BuiltIn {
  readonly namespace: string;
  readonly type: ComponentClass;
}

export const builtIns: BuiltIn[] = [];

/** Those of a name: of configuration, where this library has its own. */
export function builtInTypes(name: string): ComponentClass[] {
  const ours = builtIns.filter(
    ({ namespace, type }) => namespace === 'config' && (type.prototype as IocObject).name() === name,
  );
  return ours.map(({ type }) => type);
}

/** @throws {InvalidArgumentError} it is no class of components: an object would be shared by all containers */
export function addBuiltIn(namespace: string, type: ComponentClass): void {
  if (typeof type !== 'function') throw new InvalidArgumentError('component', type, 'a class that extends IocObject');
  entryOf(namespace, type);
  builtIns.push({ namespace, type });
}
