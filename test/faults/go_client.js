// @ts-check
// A process that locks as Go's mcube v2 does: a poll, the same value, the same compare-and-delete; no queue, no fence.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Diary, now } from './diary.js';
import { Random } from './random.js';

/** @type {import('./field.js').Work} */
const { redis, file, seed, prefix, keys, ttl } = JSON.parse(process.argv[2] ?? '{}');
const RELEASE = `if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) else return 0 end`;

const diary = new Diary(file);
process.on('uncaughtException', (error) => diary.trouble(error));
process.on('unhandledRejection', (error) => diary.trouble(error));
/** @type {any} */ const way = redis;
const client = new Redis({
  ...way,
  retryStrategy: () => 50,
  maxRetriesPerRequest: null,
  autoResendUnfulfilledCommands: false,
  commandTimeout: 3_000,
});
client.on('error', () => undefined);
let ending = false;
process.stdin.once('end', () => (ending = true)).resume();

const random = new Random(seed);
let lastId = 0;
const lives = Array.from({ length: keys }, (_, at) =>
  live(`${prefix}faults:${at}`, new Random(random.next() * 2 ** 32)),
);
await Promise.all(lives);
client.disconnect();
process.stdin.destroy();
diary.note('D', now());

/** @param {string} key @param {Random} random */
async function live(key, random) {
  while (!ending) {
    // A connection that breaks leaves it open what was done; Go's client does not know either.
    await poll(key, random).catch(() => undefined);
    await sleep(random.between(20, 100));
  }
}

/** @param {string} key @param {Random} random */
async function poll(key, random) {
  const value = randomBytes(16).toString('base64url');
  const sent = now();
  const answer = await client.set(key, value, 'PX', ttl, 'NX').catch(() => diary.note('M', key, sent, now() + ttl));
  if (answer !== 'OK') return;
  const id = (lastId += 1);
  const at = now();
  if (at >= sent + ttl) return;
  diary.note('W', id, key, at);
  diary.note('A', id, at, sent + ttl, 0);
  await sleep(random.between(0, 4));
  if (random.chance(0.05)) return;
  diary.note('R', id, now());
  await client.eval(RELEASE, 1, key, value).catch(() => diary.note('M', key, sent, sent + ttl));
}
