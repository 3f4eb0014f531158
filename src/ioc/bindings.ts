import {
  type BindingIdentifier,
  Container,
  type GetOptions,
  type Newable,
  type ResolutionContext,
  type ServiceIdentifier,
} from 'inversify';
import type { Entry } from './entry.js';
import { answering } from './graph.js';
import { type Want, wantedFields } from './inject.js';
import type { IocObject } from './object.js';

/** Where injected values come from: the container, or one resolution that runs in it. */
export type Source = Pick<ResolutionContext, 'get' | 'getAll'>;

/** Keeps one Inversify container in step with what is registered. What the application bound itself is left alone. */
export class Bindings {
  readonly container = new Container();
  readonly #bound = new Map<symbol, { entry: Entry; identifier: BindingIdentifier }>();
  readonly #classes = new Map<ServiceIdentifier, { entries: readonly Entry[]; identifiers: BindingIdentifier[] }>();
  readonly #fill: (entry: Entry, object: IocObject) => void;

  /** @param fill gives an object its values, before anybody else receives it */
  constructor(fill: (entry: Entry, object: IocObject) => void) {
    this.#fill = fill;
  }

  /** Binds what is new, by its id and by its classes. A newcomer in another's place has everything built anew. */
  sync(entries: readonly Entry[]): void {
    const replaced = entries.some((entry) => (this.#bound.get(entry.id)?.entry ?? entry) !== entry);
    for (const entry of entries) if (replaced || !this.#bound.has(entry.id)) this.renew(entry);
    const answers = answering(entries);
    for (const service of this.#classes.keys()) if (!answers.has(service)) this.#bindClass(service, []);
    for (const [service, found] of answers) this.#bindClass(service, found);
  }

  /** Forgets the object of an entry, so that the next one who asks has a fresh one built. */
  renew(entry: Entry): void {
    const old = this.#bound.get(entry.id);
    if (old) this.container.unbind(old.identifier);
    entry.value = undefined;
    this.#bound.set(entry.id, { entry, identifier: this.#bind(entry) });
  }

  /** Gives an object its fields once more, for what was registered since it was built. */
  inject(object: IocObject): void {
    place(object, wantedFields(object.constructor as Newable<object>), this.container);
  }

  #bind(entry: Entry): BindingIdentifier {
    const to = this.container.bind<IocObject>(entry.id);
    const bound = entry.instance ? to.toConstantValue(entry.instance) : to.to(entry.type).inSingletonScope();
    bound.onActivation((context, object) => {
      this.#fill(entry, object);
      place(
        object,
        wantedFields(entry.type).filter(({ own }) => entry.instance || !own),
        context,
      );
      entry.value = object;
      return object;
    });
    return bound.getIdentifier();
  }

  /** In the order they start, which is the order that `@multiInject` gives. */
  #bindClass(service: ServiceIdentifier, entries: readonly Entry[]): void {
    const old = this.#classes.get(service);
    if (old && old.entries.length === entries.length && old.entries.every(({ id }, i) => id === entries[i]?.id)) return;
    for (const identifier of old?.identifiers ?? []) this.container.unbind(identifier);
    this.#classes.set(service, { entries, identifiers: entries.map((entry) => this.#alias(service, entry)) });
  }

  #alias(service: ServiceIdentifier, { id, name }: Entry): BindingIdentifier {
    const bound = this.container.bind(service).toResolvedValue((object: IocObject) => object, [id]);
    bound.when((wanted) => wanted.name === undefined || wanted.name === name);
    return bound.getIdentifier();
  }
}

/** Whether the container has something for what is wanted. */
export function isBound(container: Container, want: Want): boolean {
  return want.service !== undefined && container.isBound(want.service, options(want));
}

function place(object: IocObject, wants: readonly Want[], source: Source): void {
  for (const want of wants) {
    const { service, optional, multiple } = want;
    const value: unknown = multiple
      ? source.getAll(service, options(want))
      : source.get(service, { ...options(want), optional });
    if (value !== undefined) Reflect.set(object, want.property as string | symbol, value);
  }
}

function options({ name, tags }: Want): GetOptions {
  const [tag] = tags;
  return { ...(name !== undefined && { name }), ...(tag && { tag: { key: tag[0], value: tag[1] } }) };
}
