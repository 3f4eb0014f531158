import { InvalidArgumentError } from '../errors.js';
import { ANY, checkOptions } from './check.js';
import { type ComponentClass, type Entry, entryOf } from './entry.js';
import { DuplicateObjectError, ObjectNotFoundError } from './errors.js';
import type { IocObject } from './object.js';
import { didYouMean, listed } from './suggest.js';
import { checkVersion, compareVersions } from './version.js';

/** A component as `forEach` shows it. */
export interface ObjectInfo {
  readonly name: string;
  readonly version: string;
  readonly priority: number;
  readonly value: IocObject;
}

/** What a namespace needs of the container it belongs to. */
export interface Home {
  /** @throws {ContainerRunningError} nothing can be registered now */
  assertOpen(action: string): void;
  /** Something was registered. */
  changed(): void;
  /** The object of an entry; built on the spot when nobody built it yet. */
  objectOf(entry: Entry): IocObject;
}

/** Components of one kind, in the order they start: higher priority first, then as registered. */
export class Namespace {
  #entries = new Map<string, Entry>();
  readonly #home: Home;

  /** @internal */
  constructor(
    readonly name: string,
    readonly priority: number,
    home: Home,
  ) {
    this.#home = home;
  }

  /**
   * Registers components: classes, which the container constructs, or objects. All of them or, when one is refused, none.
   * @throws {InvalidArgumentError} one is no component
   * @throws {DuplicateObjectError} a name is taken, and the version is not higher
   * @throws {ContainerRunningError} the container was set up and not yet stopped
   */
  registry(component: IocObject | ComponentClass, ...more: readonly (IocObject | ComponentClass)[]): this {
    this.#home.assertOpen(`register in namespace "${this.name}"`);
    const next = new Map(this.#entries);
    for (const one of [component, ...more]) this.#admit(next, entryOf(this.name, one));
    this.#entries = next;
    this.#home.changed();
    return this;
  }

  /**
   * The component of that name; before setup it has its default values.
   * @param options a version that it must have
   * @throws {ObjectNotFoundError} there is none
   */
  get<T extends IocObject = IocObject>(name: string, options: { version?: string | undefined } = {}): T {
    if (typeof name !== 'string') throw new InvalidArgumentError('name', name, 'the name of a component');
    checkOptions('get', options, { version: ANY });
    const entry = this.#entries.get(name);
    const { version } = options;
    if (version !== undefined) checkVersion('version', version);
    if (!entry || (version !== undefined && compareVersions(entry.version, version) !== 0)) {
      throw this.#notFound(version === undefined ? `"${name}"` : `"${name}" of version ${version}`, name);
    }
    return this.#home.objectOf(entry) as T;
  }

  /**
   * The component that is of a class or extends it, the one of highest priority when there are several.
   * @throws {ObjectNotFoundError} there is none
   */
  load<T extends IocObject>(type: abstract new (...args: never[]) => T): T {
    if (typeof type !== 'function')
      throw new InvalidArgumentError('class', type, 'a class that components are or extend');
    const entry = this.entries().find(
      ({ type: { prototype } }) => prototype instanceof type || prototype === type.prototype,
    );
    if (!entry) throw this.#notFound(`that is a ${type.name}`);
    return this.#home.objectOf(entry) as T;
  }

  /** `name.version` of every component, in the order they start. */
  list(): string[] {
    return this.entries().map(uid);
  }

  /** How many components there are. */
  len(): number {
    return this.#entries.size;
  }

  /** Shows every component, in the order they start. */
  forEach(visit: (object: ObjectInfo) => void): void {
    if (typeof visit !== 'function') throw new InvalidArgumentError('forEach', visit, 'a function');
    for (const entry of this.entries()) {
      const { name, version, priority } = entry;
      visit({ name, version, priority, value: this.#home.objectOf(entry) });
    }
  }

  /** @internal Sorting is stable, so equals keep the order of their registration. */
  entries(): Entry[] {
    return [...this.#entries.values()].sort((a, b) => b.priority - a.priority);
  }

  /** @internal Registers a built-in, unless its name is taken: then somebody has their own. */
  adopt(type: ComponentClass): void {
    const entry = entryOf(this.name, type);
    if (this.#entries.has(entry.name)) return;
    this.#entries.set(entry.name, entry);
    this.#home.changed();
  }

  #admit(entries: Map<string, Entry>, entry: Entry): void {
    const old = entries.get(entry.name);
    if (old && compareVersions(entry.version, old.version) <= 0) throw this.#duplicate(old, entry);
    if (old && entry.type.prototype instanceof old.type) entry.replaces = [old.type, ...old.replaces];
    entries.set(entry.name, entry);
  }

  #duplicate(old: Entry, entry: Entry): DuplicateObjectError {
    return new DuplicateObjectError(
      `"${entry.name}" is registered in namespace "${this.name}" with version ${old.version} (class ${old.type.name}); ` +
        `class ${entry.type.name} has version ${entry.version}, and only a higher one takes its place`,
    );
  }

  #notFound(what: string, name = ''): ObjectNotFoundError {
    const hint = this.#entries.has(name) ? '' : didYouMean(name, [...this.#entries.keys()]);
    return new ObjectNotFoundError(
      `no component ${what} in namespace "${this.name}"${hint}; registered: ${listed(this.list())}`,
    );
  }
}

function uid({ name, version }: Entry): string {
  return `${name}.${version}`;
}
