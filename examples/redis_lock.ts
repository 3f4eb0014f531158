// Locks without a container, on an ioredis client of the application, and a write that a late holder cannot do.
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';

const client = new Redis(process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379', { lazyConnect: true });
const locks = lock.open({ provider: 'redis', client, prefix: 'lock:' });

/** Writes unless a later holder has written: 1, or 0 when it was refused. KEYS: hash. ARGV: value, fence. */
const FENCED_WRITE = `
local last = tonumber(redis.call('HGET', KEYS[1], 'fence') or 0)
if last > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'fence', ARGV[2])
return 1`;

async function write(value: string, fence: bigint): Promise<boolean> {
  return (await client.eval(FENCED_WRITE, 1, 'example:total', value, String(fence))) === 1;
}

const early = await locks.run('total', '10s', ({ fence }) => fence);
const written = await locks.run('total', '10s', ({ fence }) => write('42', fence));
console.log(`under the lock: ${written ? 'written' : 'refused'}`);
console.log(`by the holder before, late: ${(await write('41', early)) ? 'written' : 'refused'}`);

await locks.close();
await client.quit();
