// @ts-check
// A process that waits for one key, says so when it has it, and gives it back at once.
import { Redis } from 'ioredis';

const { lib, url, key, ttl } = JSON.parse(process.argv[2] ?? '{}');
/** @type {typeof import('../../src/config/lock/index.js')} */
const lock = await import(lib);
const client = new Redis(url, { lazyConnect: true });
const locks = lock.open({ provider: 'redis', client });
const held = await locks.new(key, ttl).lock();
process.stdout.write(`held ${held.held}\n`);
await held.unlock().catch(() => undefined);
await locks.close();
