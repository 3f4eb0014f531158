import { lookup, resolveSrv } from 'node:dns';
import { checkServerIdentity } from 'node:tls';
import { Cluster, Redis, type ClusterNode } from 'ioredis';
import type { RedisClient } from './connect.js';

/** What another thread needs to make a client that leads to the same servers: plain data, secrets included. */
export interface ClientCopy {
  readonly options: Readonly<Record<string, unknown>>;
  /** The first nodes of a Cluster; undefined without one. */
  readonly nodes: readonly ClusterNode[] | undefined;
}

/** How a connection is made again and what is sent again: who opens the copy decides that for itself. */
const OWN_CHOICE = /Strategy$|^(reconnectOnError|preferredSlaves|failoverDetector)$/;
/** Functions that every thread has. */
const COMMON: readonly unknown[] = [lookup, resolveSrv, checkServerIdentity];

/**
 * What leads to the servers of a client, as data that can be sent to another thread.
 * @throws {Error} an option of it is none; the message names it
 */
export function copyOf(client: RedisClient): ClientCopy {
  const nodes = client.isCluster ? (client as unknown as { startupNodes: ClusterNode[] }).startupNodes : undefined;
  const options = data('', client.options);
  try {
    return structuredClone({ options, nodes });
  } catch (error) {
    throw new Error(`an option of the redis client cannot be sent to another thread: ${(error as Error).message}`);
  }
}

/** A client to the servers of a copy; connects when it is first used. */
export function openCopy({ options, nodes }: ClientCopy): RedisClient {
  const lazy = { ...options, lazyConnect: true } as object;
  return nodes ? new Cluster([...nodes], lazy) : new Redis(lazy);
}

/** The options without what is left to the other side; `path` is where they stand. */
function data(path: string, options: object): Record<string, unknown> {
  const entries = Object.entries(options).filter(([name, value]) => !OWN_CHOICE.test(name) && !COMMON.includes(value));
  return Object.fromEntries(
    entries.map(([name, value]: [string, unknown]) => {
      if (typeof value === 'function') {
        throw new Error(`the option ${path}${name} of the redis client is a function, which no other thread can call`);
      }
      return [name, isOptions(value) ? data(`${path}${name}.`, value) : value];
    }),
  );
}

function isOptions(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
