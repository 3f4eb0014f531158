import { IocError, show } from '../errors.js';

/** Nobody is registered under what was asked for; the message lists what there is. */
export class ObjectNotFoundError extends IocError {
  readonly code = 'ERR_OBJECT_NOT_FOUND';

  /** @param wantedBy the component that has it injected; undefined when code asked for it */
  constructor(
    message: string,
    readonly wantedBy?: Place,
  ) {
    super(message);
  }
}

/** The name is taken, and the newcomer's version is not higher. */
export class DuplicateObjectError extends IocError {
  readonly code = 'ERR_DUPLICATE_OBJECT';
}

/** Several components answer to what one alone was asked for. */
export class AmbiguousObjectError extends IocError {
  readonly code = 'ERR_AMBIGUOUS_OBJECT';

  /** @param wantedBy the component that has it injected */
  constructor(
    message: string,
    readonly wantedBy?: Place,
  ) {
    super(message);
  }
}

/** Something that is allowed only before setup or after stop was tried in between. */
export class ContainerRunningError extends IocError {
  readonly code = 'ERR_CONTAINER_RUNNING';
}

/** Components need each other in a ring, so that none can come first. */
export class CircularDependencyError extends IocError {
  readonly code = 'ERR_CIRCULAR_DEPENDENCY';

  /** @param path the names around the ring; the last is the first again */
  constructor(
    readonly path: readonly string[],
    options: { cause?: unknown } = {},
  ) {
    super(
      `circular dependency: ${path.join(' -> ')}; let one of them look the other up when it needs it, with get(name)`,
      options,
    );
  }
}

/** Where in its life a component failed. */
export type Step =
  'construct' | 'inject' | 'onPostConfig' | 'onPreInit' | 'init' | 'onPostInit' | 'onPreStop' | 'close' | 'onPostStop';

/** Names a component for an error. */
export interface Place {
  readonly namespace: string;
  readonly name: string;
}

/** One step of one component that failed while stopping; `cause` is the component's own error. */
export class CloseError extends IocError {
  readonly code = 'ERR_CLOSE';
  readonly namespace: string;
  readonly component: string;

  constructor(
    place: Place,
    readonly step: Step,
    cause: unknown,
  ) {
    super(failure(place, step, cause), { cause });
    this.namespace = place.namespace;
    this.component = place.name;
  }
}

/** A component did not start; `cause` is its own error. Whatever had started before is closed again. */
export class StartError extends IocError {
  readonly code = 'ERR_START';
  readonly namespace: string;
  readonly component: string;

  /** @param closeErrors what failed while closing the components that had started */
  constructor(
    place: Place,
    readonly step: Step,
    cause: unknown,
    readonly closeErrors: readonly CloseError[] = [],
  ) {
    super(`${failure(place, step, cause)}${list('\nand while closing what had started:', closeErrors)}`, { cause });
    this.namespace = place.namespace;
    this.component = place.name;
  }
}

/** Some components did not stop cleanly; every one was given its turn. */
export class StopError extends IocError {
  readonly code = 'ERR_STOP';

  /** @param errors what failed, in the order it happened */
  constructor(readonly errors: readonly CloseError[]) {
    super(`${errors.length} of the steps to stop failed:${list('', errors)}`);
  }
}

/** What an error, or whatever else was thrown, says. */
export function reason(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : show(thrown);
}

function failure({ namespace, name }: Place, step: Step, cause: unknown): string {
  return `component "${name}" of namespace "${namespace}" failed in ${step}: ${reason(cause)}`;
}

function list(title: string, errors: readonly Error[]): string {
  return errors.length ? [title, ...errors.map((error) => error.message)].join('\n  - ') : '';
}
