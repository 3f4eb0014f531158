import { inspect, type InspectOptions } from 'node:util';
import { describe } from '../loader/index.js';

/** What a component tells about itself beyond its name; for frameworks that mount it somewhere. */
export interface ObjectMeta {
  /** Replaces the path that a framework would derive from namespace, version and name. */
  readonly customPathPrefix?: string;
  /** Anything else, by name. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** What `close` and the hooks around it are given. */
export interface CloseOptions {
  /** Aborts when the one who stops the container waits no longer: what is still to do is then to be cut short. */
  readonly signal: AbortSignal;
}

/** Lifecycle methods may answer at once or with a promise; both are awaited. */
export type MaybeAsync = void | Promise<void>;

/**
 * The base of every component: a singleton that the container configures, injects, starts and stops.
 *
 * The container reads `name`, `version` and `priority` of a registered class without constructing it, so these three
 * answer constants and use no field.
 * @see Go: ioc, ObjectImpl
 */
export abstract class IocObject {
  /** Name within its namespace, its section in TOML and the start of its environment names; the class name in snake_case. */
  name(): string {
    return snakeCase(this.constructor.name);
  }

  /** `v1`, `v1.2.0`: a higher version of the same name replaces a lower one. */
  version(): string {
    return 'v1';
  }

  /** Within a namespace the higher starts earlier and stops later; equals start as they were registered. */
  priority(): number {
    return 0;
  }

  /** What frameworks may want to know. */
  meta(): ObjectMeta {
    return {};
  }

  /** Takes up work; values are filled, dependencies injected, and whatever starts earlier is started. */
  init(): MaybeAsync {}

  /** Lets go of everything that `init` took. */
  close(_options: CloseOptions): MaybeAsync {}

  /** After every component has its values and dependencies, before any is initialised. */
  onPostConfig?(): MaybeAsync;
  /** Right before `init`. */
  onPreInit?(): MaybeAsync;
  /** Right after `init`. */
  onPostInit?(): MaybeAsync;
  /** Right before `close`. */
  onPreStop?(options: CloseOptions): MaybeAsync;
  /** Right after `close`, also when that failed. */
  onPostStop?(options: CloseOptions): MaybeAsync;

  /** What `JSON.stringify` takes: the class and its configured values, secrets masked. */
  toJSON(): Record<string, unknown> {
    return { [this.constructor.name]: describe(this) };
  }

  /** What `console.log` shows: the class and its configured values, secrets masked. */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `${this.constructor.name} ${inspect(describe(this), options)}`;
  }
}

/** `HTTPServer` is `http_server`, `RedisConfig` is `redis_config`; bundlers put `_` in front of a class that mentions itself. */
function snakeCase(word: string): string {
  return word
    .replace(/^_+/, '')
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1_$2')
    .toLowerCase();
}
