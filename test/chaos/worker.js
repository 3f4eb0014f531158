// @ts-check
// One process of the chaos runs: waiters of our locks on some keys, doing all that an application may do, and writing down
// when they have a key. Its input's end is the sign to finish; it then ends by itself.
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Diary, now } from './diary.js';
import { Random } from './random.js';

const { lib, url, file, seed, keys, waiters, ttl, limit } = JSON.parse(process.argv[2] ?? '{}');
/** @type {typeof import('../../src/config/lock/index.js')} */
const lock = await import(lib);

const diary = new Diary(file);
process.on('uncaughtException', (error) => diary.trouble(error));
process.on('unhandledRejection', (error) => diary.trouble(error));
process.on('warning', (warning) => {
  if (!/not given back/.test(warning.message)) diary.trouble(warning);
});

const client = new Redis(url, { lazyConnect: true, retryStrategy: () => 100 });
client.on('error', () => undefined);
const locks = lock.open({ provider: 'redis', client, commandTimeout: limit });
let ending = false;
let lastId = 0;
process.stdin.once('end', () => (ending = true)).resume();

const random = new Random(seed);
const loops = [];
for (const key of keys) {
  for (let at = 0; at < waiters; at += 1) loops.push(live(key, new Random(random.next() * 2 ** 32)));
}
await Promise.all(loops);
if (random.chance(0.5)) await locks.close();
client.disconnect();
process.stdin.destroy();
diary.note('D', now());

/** @param {string} key @param {Random} random */
async function live(key, random) {
  while (!ending) {
    const id = (lastId += 1);
    diary.note('W', id, key, now());
    try {
      await (random.chance(0.1) ? runOnce(id, key, random) : lockOnce(id, key, random));
    } catch (error) {
      told(id, error);
    }
    await rest(random);
  }
}

/** @param {Random} random */
function rest(random) {
  const ms = random.weighted([
    [50, 0],
    [40, random.between(0, 2)],
    [8, random.between(5, 30)],
    [2, random.between(100, 400)],
  ]);
  return ms < 0.5 ? setImmediate() : sleep(ms);
}

/** @param {number} id @param {string} key @param {Random} random */
async function lockOnce(id, key, random) {
  const held = await acquire(id, key, random);
  if (!taken(id, held)) return;
  await section(id, held, random);
  // Some never give back what they have: its ttl ends it.
  if (random.chance(0.0007)) return;
  if (random.chance(0.05)) void refreshed(id, held, random);
  diary.note('R', id, now());
  await held.unlock().catch((error) => told(id, error));
}

/** @param {number} id @param {string} key @param {Random} random */
async function acquire(id, key, random) {
  const named = random.chance(0.1);
  const options = named
    ? { token: `t${process.pid}-${id}-${seed}`, metadata: random.one(['', ' some | text', '{}']) }
    : {};
  const one = locks.new(key, Math.round(ttl * random.one([1, 1, 1, 1, 1.5])), options);
  switch (
    random.weighted([
      [50, 'wait'],
      [15, 'limited'],
      [10, 'once'],
      [10, 'aborted'],
      [4, 'polling'],
    ])
  ) {
    case 'limited':
      return one.lock({ wait: Math.round(random.between(1, 2_000)) });
    case 'once':
      return one.tryLock();
    case 'aborted':
      return one.lock({ signal: AbortSignal.timeout(Math.floor(random.between(0, 30))) });
    case 'polling':
      return one.lock({ retry: lock.linearBackoff(Math.round(random.between(5, 50))), wait: 2_000 });
    default:
      return one.lock();
  }
}

/** Whether it is held, and written down. @param {number} id @param {import('../../src/config/lock/index.js').Lock} held */
function taken(id, held) {
  // In this order: a stop between the two must not lengthen what we claim.
  const at = now();
  const left = held.remaining();
  const { fence } = held;
  if (left === 0 || fence === undefined) {
    diary.note('E', id, at, 'OUTLIVED');
    return false;
  }
  diary.note('A', id, at, at + left, fence.toString());
  return true;
}

/** @param {number} id @param {import('../../src/config/lock/index.js').Lock} held @param {Random} random */
async function section(id, held, random) {
  const ms = random.weighted([
    [40, 0],
    [55, random.between(0, 3)],
    [0.3, random.between(10, ttl / 2)],
  ]);
  if (ms >= 1) await sleep(ms);
  else if (random.chance(0.5)) await setImmediate();
  if (random.chance(0.05)) await refreshed(id, held, random);
  if (random.chance(0.01)) await held.ttlLeft().catch(() => undefined);
}

/** @param {number} id @param {import('../../src/config/lock/index.js').Lock} held @param {Random} random */
async function refreshed(id, held, random) {
  const again = Math.round(ttl * random.between(0.7, 1.5));
  // Until the answer is there, only the shorter of both lifetimes is ours.
  const before = now();
  diary.note('U', id, before, before + Math.min(held.remaining(), again));
  await held.refresh(again).catch(() => undefined);
  const at = now();
  diary.note('U', id, at, at + held.remaining());
}

/** @param {number} id @param {string} key @param {Random} random */
async function runOnce(id, key, random) {
  await locks.run(key, ttl, async ({ lock: held, signal }) => {
    if (!taken(id, held)) return;
    const end = now() + (random.chance(0.008) ? random.between(0.3, 1.5) * ttl : random.between(0, 3));
    while (now() < end && !signal.aborted) {
      await sleep(Math.min(ttl / 10, end - now()));
      const at = now();
      diary.note('U', id, at, at + held.remaining());
    }
    diary.note('R', id, now());
  });
}

/** @param {number} id @param {unknown} error */
function told(id, error) {
  const { code, name } = /** @type {{ code?: string | number; name: string }} */ (error);
  diary.note('E', id, now(), typeof code === 'string' ? code : name);
}
