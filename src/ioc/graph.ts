import type { Newable, ServiceIdentifier } from 'inversify';
import type { Entry } from './entry.js';
import { AmbiguousObjectError, CircularDependencyError, ObjectNotFoundError } from './errors.js';
import { type Want, wantedArguments, wantedFields } from './inject.js';
import { IocObject } from './object.js';
import { didYouMean, listed } from './suggest.js';

/** A component that another one has injected. */
export interface Dependency {
  readonly entry: Entry;
  readonly want: Want;
}

/** Who needs whom among the components of one container, as registered at this moment. */
export class Graph {
  readonly #entries: readonly Entry[];
  readonly #foreign: (want: Want) => boolean;
  readonly #byId: ReadonlyMap<ServiceIdentifier, readonly Entry[]>;
  readonly #byClass: ReadonlyMap<ServiceIdentifier, readonly Entry[]>;

  /** @param foreign whether the application itself bound in the Inversify container what is wanted */
  constructor(entries: readonly Entry[], foreign: (want: Want) => boolean) {
    this.#entries = entries;
    this.#foreign = foreign;
    this.#byId = new Map(entries.map((entry) => [entry.id, [entry]]));
    this.#byClass = answering(entries);
  }

  /**
   * What a component has injected of the other components.
   * @throws {ObjectNotFoundError} something that it needs is not there
   * @throws {AmbiguousObjectError} several are there where one is wanted
   */
  dependencies(entry: Entry): Dependency[] {
    const wants = [...(entry.instance ? [] : wantedArguments(entry.type)), ...wantedFields(entry.type)];
    return wants.flatMap((want) => this.#find(entry, want).map((found) => ({ entry: found, want })));
  }

  /**
   * Components and all they need, each after what it needs.
   * @throws {CircularDependencyError} they need each other in a ring
   */
  order(wanted: readonly Entry[] = this.#entries): Entry[] {
    const done = new Set<Entry>();
    for (const entry of wanted) this.#visit(entry, [], done);
    return [...done];
  }

  #visit(entry: Entry, path: readonly Entry[], done: Set<Entry>): void {
    if (done.has(entry)) return;
    const at = path.indexOf(entry);
    const longer = [...path, entry];
    if (at >= 0) throw new CircularDependencyError(longer.slice(at).map(({ name }) => name));
    for (const dependency of this.dependencies(entry)) this.#visit(dependency.entry, longer, done);
    done.add(entry);
  }

  #find(entry: Entry, want: Want): readonly Entry[] {
    const found = this.#byId.get(want.service) ?? this.#ofClass(want);
    if (found.length === 1 || want.multiple) return found;
    if (found.length > 1) throw ambiguous(entry, want, found);
    if (!want.optional && !this.#foreign(want)) throw this.#missing(entry, want);
    return [];
  }

  #ofClass({ service, name }: Want): readonly Entry[] {
    const found = this.#byClass.get(service) ?? [];
    return name === undefined ? found : found.filter((entry) => entry.name === name);
  }

  #missing(entry: Entry, want: Want): ObjectNotFoundError {
    const known = this.#entries.map(({ namespace, name, type }) => `${namespace}.${name} (${type.name})`);
    const words = this.#entries.flatMap(({ namespace, name, type }) => [type.name, `${namespace}.${name}`]);
    const hint = want.service === undefined ? NOT_LOADED : didYouMean(serviceName(want), words);
    return new ObjectNotFoundError(
      `${wish(entry, want)}, which is not registered${hint}; registered: ${listed(known)}`,
      entry,
    );
  }
}

/** The components that a class stands for as a service identifier, and those that its name in `@named` chooses from. */
export function answering(entries: readonly Entry[]): Map<ServiceIdentifier, readonly Entry[]> {
  const extending = new Map<ServiceIdentifier, Entry[]>();
  const replacing = new Map<ServiceIdentifier, Entry[]>();
  const exact = new Map<ServiceIdentifier, Entry[]>();
  for (const entry of entries) {
    for (const base of bases(entry.type)) add(extending, base, entry);
    for (const replaced of entry.replaces) add(replacing, replaced, entry);
    add(exact, entry.type, entry);
  }
  return new Map([...extending, ...replacing, ...exact]);
}

/** What is wanted, as messages say it: `RedisConfig`, `config.redis`. */
function serviceName({ service }: Want): string {
  if (typeof service === 'function') return service.name;
  return String(typeof service === 'symbol' ? service.description : service).replace(/^mcube-lock:/, '');
}

const NOT_LOADED =
  ': its module was not loaded yet when @inject ran, since modules import each other in a ring; ' +
  'write @inject(new LazyServiceIdentifier(() => TheClass))';

function ambiguous(entry: Entry, want: Want, found: readonly Entry[]): AmbiguousObjectError {
  const names = found.map(({ namespace, name }) => `id("${namespace}", "${name}")`);
  return new AmbiguousObjectError(
    `${wish(entry, want)}, and ${found.length} components are that; choose one with @inject(${names.join(') or @inject(')}), or take all with @multiInject`,
    entry,
  );
}

function wish({ namespace, name, type }: Entry, want: Want): string {
  const named = want.name === undefined ? '' : ` named "${String(want.name)}"`;
  return `component "${name}" of namespace "${namespace}" (${type.name}) wants ${serviceName(want)}${named} in ${want.site}`;
}

/** The class and what it extends, up to what all components extend. */
function bases(type: Newable): Newable[] {
  const found: Newable[] = [];
  for (let at: unknown = type; at !== IocObject; at = Object.getPrototypeOf(at)) found.push(at as Newable);
  return found;
}

function add(map: Map<ServiceIdentifier, Entry[]>, service: ServiceIdentifier, entry: Entry): void {
  const known = map.get(service);
  if (known) known.push(entry);
  else map.set(service, [entry]);
}
