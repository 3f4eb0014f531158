// @ts-check
// One process of the fault suite: waiters of our locks on some keys, doing all that an application may do, and writing down
// when they have a key. Its input's end is the sign to finish; it then takes each key once more and ends by itself.
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Cluster, Redis } from 'ioredis';
import { Diary, now } from './diary.js';
import { Random } from './random.js';
import { OwnRegister, SharedRegister } from './register.js';

/** @typedef {import('../../src/config/lock/index.js').Lock} Lock */

/** @type {import('./field.js').Work} */
const work = JSON.parse(process.argv[2] ?? '{}');
const { ttl, mood, grace } = work;
const keys = Array.from({ length: work.keys }, (_, at) => `${work.prefix}faults:${at}`);
/** @type {typeof import('../../src/config/lock/index.js')} */
const lock = await import(work.lib);

/** So many of the keys are taken once more at the end. */
const LAST_KEYS = 20;

const diary = new Diary(work.file);
process.on('uncaughtException', (error) => diary.trouble(error));
process.on('unhandledRejection', (error) => diary.trouble(error));
process.on('warning', (warning) => {
  const { code } = /** @type {{ code?: string }} */ (/** @type {unknown} */ (warning));
  if (warning.name !== 'LockWarning' || !work.warnings.includes(code ?? '')) diary.trouble(warning);
});

/** @type {any} */ const way = work.redis;
const client = way && connectTo(way);
client?.on('error', () => undefined);
const locks = lock.open(
  client
    ? {
        ...{ provider: 'redis', client, commandTimeout: work.limit },
        ...{ yield: mood.yields ?? false, renewalThread: mood.thread ?? false },
      }
    : { provider: 'go_cache' },
);
await locks.ready;
const { port, name, refuses } = work.register;
const register = client ? new SharedRegister(port, name, refuses) : new OwnRegister(refuses);
const burner = mood.heavy ? new Worker('for (;;);', { eval: true }) : undefined;
/** @type {Promise<void>[]} What goes on beside the loops. */ const aside = [];
let ending = false;
let lastId = 0;
process.stdin.once('end', () => (ending = true)).resume();

const random = new Random(work.seed);
const loops = [];
for (const key of mood.roams ? ['anywhere'] : keys) {
  for (let at = 0; at < work.waiters; at += 1) loops.push(live(key, new Random(random.next() * 2 ** 32)));
}
await Promise.all(loops);
await Promise.all(keys.slice(0, LAST_KEYS).map((key) => onceMore(key, random)));
await Promise.all(aside);
register.close();
await burner?.terminate();
// A lock that is held and renewed is no reason to stay, either.
if (mood.exits)
  await locks
    .new(`${keys[0]}:kept`, ttl, { renew: true })
    .lock()
    .catch(() => undefined);
else if (random.chance(0.5)) await locks.close().catch(() => undefined);
client?.disconnect();
process.stdin.destroy();
/** @type {{ jumps: number } | undefined} */ const clock = /** @type {any} */ (globalThis).wallClock;
if (clock) diary.note('F', clock.jumps);
diary.note('D', now());

/** @param {any} way @returns {Redis | Cluster} */
function connectTo(way) {
  const again = () => 100;
  if (way.nodes) return new Cluster(way.nodes, { lazyConnect: true, clusterRetryStrategy: again });
  return new Redis({ ...way, lazyConnect: true, retryStrategy: again });
}

/** @param {string} place @param {Random} random */
async function live(place, random) {
  while (!ending) {
    const key = mood.roams ? random.one(keys) : place;
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
  const fence = Number(held.fence ?? 0);
  await section(id, held, random);
  // A writer that does not know, or does not care, that its hold is over.
  if (random.chance(0.03)) aside.push(sleep(random.between(0, 1.5) * ttl).then(() => write(id, key, fence)));
  // Some never give back what they have: its ttl ends it.
  if (random.chance(mood.lingers ?? 0.0007)) return;
  if (random.chance(0.05)) void refreshed(id, held, random);
  diary.note('R', id, now());
  await held.unlock().catch((error) => told(id, error));
}

/** @param {number} id @param {string} key @param {Random} random */
async function acquire(id, key, random) {
  const named = random.chance(0.1);
  const options = random.chance(mood.shares ?? 0)
    ? { token: `p${process.pid}-${work.seed}` }
    : named
      ? { token: `t${process.pid}-${id}-${work.seed}`, metadata: random.one(['', ' some | text', '{}']) }
      : {};
  const one = locks.new(key, Math.round(ttl * random.one([1, 1, 1, 1, 1.5])), options);
  if (mood.plain) return one.lock();
  switch (
    random.weighted([
      [50, 'wait'],
      [15, 'limited'],
      [10, 'once'],
      [mood.aborts ?? 10, 'aborted'],
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

/** Whether it is held, and written down. @param {number} id @param {Lock} held */
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

/** @param {number} id @param {Lock} held @param {Random} random */
async function section(id, held, random) {
  const ms = random.weighted([
    [40, 0],
    [55, random.between(0, 3)],
    [0.3, random.between(10, ttl / 2)],
  ]);
  if (ms >= 1) await sleep(ms);
  else if (random.chance(0.5)) await setImmediate();
  if (mood.heavy) burn(random.between(0, 3));
  if (random.chance(mood.stalls ?? 0)) stall(id, held, random);
  if (random.chance(mood.exits ?? 0)) exit();
  if (random.chance(0.1) && held.fence) await write(id, held.key, Number(held.fence));
  if (random.chance(mood.refreshes ?? 0.05)) await refreshed(id, held, random);
  if (random.chance(0.01)) await held.ttlLeft().catch(() => undefined);
}

/** @param {number} id @param {string} key @param {number} fence */
async function write(id, key, fence) {
  const from = now();
  const accepted = await register.write(key, fence, `${work.at}#${id}`);
  diary.note('S', id, key, from, now(), fence, accepted ? 1 : 0);
}

/** @param {number} id @param {Lock} held @param {Random} random */
async function refreshed(id, held, random) {
  const again = Math.round(ttl * random.between(0.7, 1.5));
  // Until the answer is there, only the shorter of both lifetimes is ours.
  const before = now();
  diary.note('U', id, before, before + Math.min(held.remaining(), again));
  await held.refresh(again).catch(() => undefined);
  const at = now();
  diary.note('U', id, at, at + held.remaining());
}

/** Long synchronous work; the statement after it must know whether the lease is over. @param {number} id @param {Lock} held @param {Random} random */
function stall(id, held, random) {
  const { signal } = held;
  const before = held.held;
  const from = now();
  burn(random.between(0.2, 2.7) * ttl);
  const at = now();
  diary.note('Z', from, at);
  diary.note('U', id, at, at + held.remaining());
  if (before && !held.held && !signal.aborted) diary.trouble(`#${id} is lost, and its signal does not say so`);
}

/** Nothing else runs meanwhile. @param {number} ms */
function burn(ms) {
  const end = now() + ms;
  while (now() < end);
}

function exit() {
  diary.note('Q', now());
  process.exit(0);
}

/** @param {number} id @param {string} key @param {Random} random */
async function runOnce(id, key, random) {
  await locks.run(key, ttl, async ({ lock: held, signal, fence }) => {
    if (!taken(id, held)) return;
    const end = now() + (random.chance(mood.renews ?? 0.008) ? random.between(0.3, 1.5) * ttl : random.between(0, 3));
    if (random.chance(0.1)) await write(id, key, Number(fence));
    if (mood.thread && random.chance(mood.stalls ?? 0)) stall(id, held, random);
    while (now() < end && !signal.aborted) {
      await sleep(Math.max(0, Math.min(ttl / 10, end - now())));
      const at = now();
      diary.note('U', id, at, at + held.remaining());
    }
    if (random.chance(mood.exits ?? 0)) exit();
    diary.note('R', id, now());
  });
}

/** Whatever went wrong is over: everybody is served, within the grace. @param {string} key @param {Random} random */
async function onceMore(key, random) {
  const started = now();
  for (;;) {
    const id = (lastId += 1);
    const left = Math.ceil(started + grace - now());
    diary.note('W', id, key, now());
    try {
      const held = await locks.new(key, ttl).lock({ wait: Math.max(1, left) });
      if (taken(id, held)) {
        diary.note('R', id, now());
        await held.unlock().catch(() => undefined);
        return;
      }
    } catch (error) {
      told(id, error);
      if (now() > started + grace)
        return diary.note('L', now(), `${key} not within ${grace} ms: ${/** @type {Error} */ (error).message}`);
    }
    await sleep(random.between(10, 50));
  }
}

/** @param {number} id @param {unknown} error */
function told(id, error) {
  const { code, name, message } = /** @type {{ code?: string | number; name: string; message: string }} */ (error);
  diary.note('E', id, now(), typeof code === 'string' ? code : name, message.replaceAll('\n', ' / '));
}
