import type { Contestant } from './contestant.js';
import { limit } from './limit.js';
import { leaseAlone, memoryPeers } from './memory.js';
import { oursInMemory, oursOnRedis } from './ours.js';
import { redisPeers } from './peers.js';
import { floor, publishAndRetry } from './raw.js';

export type { Body, Contestant, Kind, Locks } from './contestant.js';

export const onRedis: readonly Contestant[] = [oursOnRedis, ...redisPeers, publishAndRetry, floor, limit];
export const inMemory: readonly Contestant[] = [...oursInMemory, ...memoryPeers, leaseAlone];
