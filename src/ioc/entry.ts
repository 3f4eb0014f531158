import type { Newable } from 'inversify';
import { InvalidArgumentError } from '../errors.js';
import { fieldsOf } from '../loader/index.js';
import { checkPriority, checkWord } from './check.js';
import { reason } from './errors.js';
import { checkConstruction, id } from './inject.js';
import { IocObject } from './object.js';
import { checkVersion } from './version.js';

/** A class of components; the container constructs it with what its constructor injects. */
export type ComponentClass<T extends IocObject = IocObject> = Newable<T>;

/** Values of declared fields, by property. */
type Initial = ReadonlyMap<string, Kept>;
interface Kept {
  readonly value: unknown;
  readonly inside: Initial;
}
const NOTHING: Initial = new Map();

/** What the container keeps of one registered component. */
export interface Entry {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly priority: number;
  readonly type: ComponentClass;
  /** Its service identifier in the Inversify container. */
  readonly id: symbol;
  /** The object itself, when an object was registered rather than its class. */
  readonly instance: IocObject | undefined;
  /** The declared fields of a registered object as they were before setup, from then to stop. */
  initial: Initial | undefined;
  /** Classes whose place this one took, being a higher version that extends them. */
  replaces: readonly ComponentClass[];
  /** The object, once it is built: filled and injected. */
  value: IocObject | undefined;
}

/**
 * Reads what a component says about itself.
 * @throws {InvalidArgumentError} it is no component, or its name, version or priority cannot be one
 */
export function entryOf(namespace: string, component: unknown): Entry {
  const instance = component instanceof IocObject ? component : undefined;
  const type = instance ? (instance.constructor as ComponentClass) : checkClass(component);
  const asked = instance ?? (Object.create(type.prototype as object) as IocObject);
  const name = checkWord(`${type.name || 'the component'}.name()`, ask(type, asked, 'name'));
  return {
    namespace,
    name,
    version: checkVersion(`${type.name}.version()`, ask(type, asked, 'version')),
    priority: checkPriority(`${type.name}.priority()`, ask(type, asked, 'priority')),
    type,
    id: id(namespace, name),
    instance,
    initial: undefined,
    replaces: [],
    value: undefined,
  };
}

/** Registered objects that are set up, and by which entry: a second one would fill and start them once more. */
const inUse = new WeakMap<IocObject, Entry>();

/**
 * Remembers a registered object's declared fields; setup is about to change them.
 * @throws {InvalidArgumentError} it is set up already, by another container or under another namespace
 */
export function keep(entry: Entry): void {
  const { instance, namespace, name } = entry;
  if (!instance) return;
  if ((inUse.get(instance) ?? entry) !== entry) {
    const right = 'one that is set up nowhere else: register its class, or an object of its own for each place';
    throw new InvalidArgumentError(`component "${name}" of namespace "${namespace}"`, instance, right);
  }
  inUse.set(instance, entry);
  entry.initial = fieldValues(instance);
}

/** Puts them back, so that the next setup finds the object as the one before did. */
export function restore(entry: Entry): void {
  const { instance } = entry;
  if (instance && entry.initial) putBack(instance, entry.initial);
  if (instance && inUse.get(instance) === entry) inUse.delete(instance);
  entry.initial = undefined;
}

function checkClass(component: unknown): ComponentClass {
  if (typeof component !== 'function' || !(component.prototype instanceof IocObject)) {
    throw new InvalidArgumentError('component', component, 'a class that extends IocObject, or an object of one');
  }
  const type = component as ComponentClass;
  checkConstruction(type);
  return type;
}

/** Asks the prototype of a class what an object of it would answer; nothing is constructed for that. */
function ask(type: ComponentClass, asked: IocObject, method: 'name' | 'version' | 'priority'): unknown {
  try {
    return asked[method]();
  } catch (cause) {
    const right = `a constant: it is asked before the object exists (${reason(cause)}); or register an object`;
    throw new InvalidArgumentError(`${type.name}.${method}()`, cause, right);
  }
}

/** Tables are objects too: they stay in place, and their fields are kept and put back one by one. */
function fieldValues(object: object): Initial {
  const kept = fieldsOf(object.constructor ?? Object).map(({ property }): [string, Kept] => {
    const value: unknown = Reflect.get(object, property);
    if (Array.isArray(value)) return [property, { value: [...(value as unknown[])], inside: NOTHING }];
    return [property, { value, inside: typeof value === 'object' && value !== null ? fieldValues(value) : NOTHING }];
  });
  return new Map(kept);
}

function putBack(object: object, initial: Initial): void {
  for (const [property, { value, inside }] of initial) {
    Reflect.set(object, property, Array.isArray(value) ? [...(value as unknown[])] : value);
    if (inside.size > 0) putBack(value as object, inside);
  }
}
