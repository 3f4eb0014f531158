import type { Milliseconds } from '../../../duration.js';

/** What the thread of renewals is told. */
export type Order =
  | {
      /** A lease was granted: it is to be renewed from now on. */
      readonly kind: 'renew';
      readonly lease: number;
      readonly key: string;
      /** Its token, a random one, so that nobody else can have it; and its metadata. */
      readonly token: string;
      readonly metadata: string;
      readonly ttl: Milliseconds;
      /** Beyond this moment it is not renewed; in the common time of all threads, Infinity for never. */
      readonly end: Milliseconds;
      /** The memory of its cell. */
      readonly cell: SharedArrayBuffer;
    }
  | {
      /** The holder wants another lifetime. */
      readonly kind: 'refresh';
      readonly lease: number;
      readonly question: number;
      readonly ttl: Milliseconds;
    }
  | {
      /** The lease is over; `lost` when its deadline passed, so that what was asked last may still make it longer. */
      readonly kind: 'drop';
      readonly lease: number;
      readonly lost: boolean;
    };

/** What the thread of renewals tells. */
export type Report =
  | {
      /** It runs, and takes orders. */
      readonly kind: 'ready';
    }
  | {
      /** The provider has no such hold any more; its cell says so, too. */
      readonly kind: 'taken';
      readonly lease: number;
    }
  | {
      /** What became of a refresh: nothing is said when it was done. */
      readonly kind: 'refreshed';
      readonly question: number;
      readonly failure?: Failure | undefined;
    };

/** Why a refresh was not done: it is not held, the provider did not answer, or refused. */
export interface Failure {
  readonly why: 'not held' | 'unreachable' | 'refused';
  readonly message: string;
}
