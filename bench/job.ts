/** What a worker is told to do. */
export interface Job {
  /** `onRedis` or `inMemory`, and the contestant's name in it. */
  readonly table: 'onRedis' | 'inMemory';
  readonly contestant: string;
  readonly port: number;
}

/** Loops of acquire, section, release: each waiter goes through its keys again and again. */
export interface Load {
  readonly keys: number;
  readonly waiters: number;
  /** Whether each waiter goes through all keys; else waiter w stays at key w modulo keys. */
  readonly roam: boolean;
  readonly section: Section;
  /** Milliseconds between the end of a hold and the next wish; 0 where it is at once. */
  readonly rest: number;
  /** One acquisition in so many is stamped with times; 1 where who comes after whom is told. */
  readonly stampEvery: number;
  /** Whether each hold is told, for who comes after whom. */
  readonly log: boolean;
}

/** Nothing; a turn of the event loop; or so many milliseconds. */
export type Section = 'empty' | 'turn' | number;

export type ToWorker =
  | { readonly type: 'open'; readonly job: Job }
  /** Begins at once; what lies between the two times, in milliseconds of the machine's monotonic clock, is measured. */
  | { readonly type: 'load'; readonly load: Load; readonly from: number; readonly to: number }
  /** Takes the key and keeps it until told. */
  | { readonly type: 'hold'; readonly key: string }
  | { readonly type: 'let go' }
  /** So many waiters at once on a key, each once. */
  | { readonly type: 'line'; readonly key: string; readonly waiters: number }
  /** So many waiters at once on each of these keys, which are held. */
  | { readonly type: 'crowd'; readonly keys: number; readonly waiters: number };

export type FromWorker =
  | { readonly type: 'opened' }
  | { readonly type: 'loaded'; readonly taken: Taken }
  /** Nothing of the load goes on. */
  | { readonly type: 'rested' }
  | { readonly type: 'holding' }
  | { readonly type: 'let go' }
  | { readonly type: 'standing' }
  | { readonly type: 'served'; readonly order: number[]; readonly errors: string[] }
  /** Of the heap, for each of the crowd. */
  | { readonly type: 'weighed'; readonly bytes: number }
  | { readonly type: 'failed'; readonly message: string };

/** What one worker saw between the two times. */
export interface Taken {
  /** Milliseconds that passed in fact. */
  readonly elapsed: number;
  readonly perWaiter: number[];
  /** Of holds, to a waiter other than the one before; counted in this process alone. */
  readonly handOvers: number;
  readonly overlaps: number;
  /** Milliseconds from the call to the hold, of those that were stamped. */
  readonly waits: Float64Array;
  /** How long those had waited at the end that were still waiting. */
  readonly pending: Float64Array;
  /** Of each hold: its begin and end on the clock that processes share, and its waiter; empty without `log`. */
  readonly begins: Float64Array;
  readonly ends: Float64Array;
  readonly who: Uint16Array;
  /** Microseconds of this process. */
  readonly cpu: number;
  readonly errors: number;
  readonly firstError: string;
}
