import { InvalidArgumentError } from '../errors.js';
import { checkPriority, checkWord } from './check.js';
import type { Entry } from './entry.js';
import { type Home, Namespace } from './namespace.js';

/** The namespaces that every container has, and their priorities. */
const NAMESPACES = { config: 99, default: 9, controller: 0, api: -99 } as const;

/** The namespaces of one container, in the order they start: higher priority first, then as they were made. */
export class Store {
  readonly #namespaces = new Map<string, Namespace>();
  readonly #home: Home;

  constructor(home: Home) {
    this.#home = home;
    for (const [name, priority] of Object.entries(NAMESPACES)) this.namespace(name, priority);
  }

  /**
   * The namespace of that name, made when it is new.
   * @param priority left out, it is 0 for a new one and as it is for one that exists
   * @throws {InvalidArgumentError} it exists with another priority
   */
  namespace(name: string, priority?: number): Namespace {
    checkWord('namespace', name);
    if (priority !== undefined) checkPriority('priority', priority);
    const known = this.#namespaces.get(name);
    if (!known) return this.#make(name, priority ?? 0);
    if (priority === undefined || priority === known.priority) return known;
    throw new InvalidArgumentError('priority', priority, `${known.priority}, which namespace "${name}" has already`);
  }

  /** All namespaces, in the order they start. */
  namespaces(): Namespace[] {
    return [...this.#namespaces.values()].sort((a, b) => b.priority - a.priority);
  }

  /** All components, in the order they start. */
  entries(): Entry[] {
    return this.namespaces().flatMap((namespace) => namespace.entries());
  }

  #make(name: string, priority: number): Namespace {
    const made = new Namespace(name, priority, this.#home);
    this.#namespaces.set(name, made);
    return made;
  }
}
