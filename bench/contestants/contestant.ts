/** Done while a lock is held; one that gives nothing is over when it returns, and nobody spends a turn on waiting for it. */
export type Body = () => Promise<unknown> | void;

/** A lock library at work in one process. */
export interface Locks {
  /** Takes the key, waiting as long as it takes, runs the body, gives the key back. */
  use(key: string, body: Body): Promise<unknown>;
}

/** What the figures of a contestant stand for. */
export type Kind = 'ours' | 'peer' | 'reference' | 'floor' | 'limit';

/** One of those that are measured. */
export interface Contestant {
  /** The package's name, or what it is. */
  readonly name: string;
  readonly kind: Kind;
  /** Which settings were chosen, for the tables' notes. */
  readonly settings: string;
  /** Redis commands that it only runs inside scripts, in lower case: they are no commands of the client. */
  readonly inner?: readonly string[];
  /** It has no way to wait for a key that another holds, and is left out where one would have to. */
  readonly uncontendedOnly?: boolean;
  /** @param port of the Redis on this machine; 0 for locks in memory */
  open(port: number): Promise<Locks>;
}

/** Lifetime of every hold, where the library has such a thing; nothing in the benchmark lives that long. */
export const TTL = 10_000;

/** Longer than any run. */
export const FOREVER = 600_000;

/** A package that may not be installed, and whose types are not: what of it is used stands in `T`. */
export async function load<T>(name: string): Promise<T> {
  return (await import(name)) as T;
}
