import 'reflect-metadata';
import {
  type ClassElementMetadata,
  ClassElementMetadataKind,
  type ClassMetadata,
  getClassMetadata,
} from '@inversifyjs/core';
import {
  LazyServiceIdentifier,
  type MetadataName,
  type MetadataTag,
  type Newable,
  type ServiceIdentifier,
} from 'inversify';
import { InvalidArgumentError } from '../errors.js';
import { checkWord } from './check.js';
import { reason } from './errors.js';

/**
 * The service identifier of a component by its name, for `@inject(id('config', 'redis'))`; the same symbol in every
 * container. Injection by class needs none.
 */
export function id(namespace: string, name: string): symbol {
  return Symbol.for(`mcube-lock:${checkWord('namespace', namespace)}.${checkWord('name', name)}`);
}

type Class = Newable<object>;

/** One thing that a component has injected. */
export interface Want {
  /** Where it goes, as messages say it. */
  readonly site: string;
  /** The field it goes to; undefined for an argument of the constructor. */
  readonly property: string | symbol | undefined;
  /** Whether Inversify itself sets it on objects that it constructs: not what a base class declares. */
  readonly own: boolean;
  readonly service: ServiceIdentifier;
  readonly optional: boolean;
  /** All of them, as `@multiInject` asks. */
  readonly multiple: boolean;
  readonly name: MetadataName | undefined;
  readonly tags: ReadonlyMap<MetadataTag, unknown>;
}

/** What objects of a class have injected by their constructor. */
export function wantedArguments(type: Class): Want[] {
  const { constructorArguments } = getClassMetadata(type);
  return constructorArguments.flatMap((element, i) =>
    want(`argument ${i + 1} of its constructor`, undefined, true, element),
  );
}

/** What objects of a class have injected into their fields, those of its base classes too. */
export function wantedFields(type: Class): Want[] {
  const found = new Map<string | symbol, Want>();
  for (let at = type; at !== Function.prototype; at = Object.getPrototypeOf(at) as Class) {
    for (const [property, element] of ownFields(at)) {
      if (found.has(property)) continue;
      for (const one of want(`field ${String(property)}`, property, at === type, element)) found.set(property, one);
    }
  }
  return [...found.values()];
}

/**
 * Sees to it that every argument of a constructor says what it wants, and that `init` and `close` are the only ways to
 * start and stop: Inversify's would run before the values are there, and unawaited.
 * @throws {InvalidArgumentError} an argument has no `@inject`, or a method has `@postConstruct` or `@preDestroy`
 */
export function checkConstruction(type: Class): void {
  const { postConstructMethodNames, preDestroyMethodNames } = classMetadata(type).lifecycle;
  const [method] = [...postConstructMethodNames, ...preDestroyMethodNames];
  if (method === undefined) return;
  throw new InvalidArgumentError(
    `class ${type.name}`,
    String(method),
    'init() and close() instead of @postConstruct and @preDestroy',
  );
}

function classMetadata(type: Class): ClassMetadata {
  try {
    return getClassMetadata(type);
  } catch (error) {
    const right = `@inject on every argument of its constructor, or an object of it instead of the class (${reason(error)})`;
    throw new InvalidArgumentError(`class ${type.name}`, type, right);
  }
}

/**
 * Fields as declared on this very class. Not by `getClassMetadata`, which refuses a class whose constructor is not
 * injected; that of a registered object, or of an abstract base, may well take plain arguments.
 */
function ownFields(type: Class): Iterable<[string | symbol, ClassElementMetadata]> {
  const all: unknown[] = Reflect.getOwnMetadataKeys(type).map(
    (key: unknown) => Reflect.getOwnMetadata(key, type) as unknown,
  );
  return all.find(isClassMetadata)?.properties ?? [];
}

function isClassMetadata(metadata: unknown): metadata is ClassMetadata {
  return (
    typeof metadata === 'object' && metadata !== null && 'properties' in metadata && metadata.properties instanceof Map
  );
}

function want(site: string, property: Want['property'], own: boolean, element: ClassElementMetadata): Want[] {
  if (element.kind === ClassElementMetadataKind.unmanaged || !('value' in element)) return [];
  const { value, optional, name, tags } = element;
  const service = LazyServiceIdentifier.is(value) ? value.unwrap() : value;
  const multiple = element.kind === ClassElementMetadataKind.multipleInjection;
  return [{ site, property, own, service, optional, multiple, name, tags }];
}
