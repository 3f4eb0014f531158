// @ts-check
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A promise of the built library, broken on purpose: a run that does not notice is no proof.
 * @typedef {object} Variant
 * @property {string} name
 * @property {string} breaks in words
 * @property {'redis' | 'go_cache'} provider
 * @property {string} plan in which it is to be noticed
 * @property {readonly string[]} checks of which one at least must notice it
 * @property {readonly (readonly [file: string, from: string, to: string])[]} edits of files of `config/lock`; every place where `from` stands
 * @property {boolean} [quick] noticed in a short run as good as always, which the tests therefore make
 * @property {boolean} [lets] the register lets every writer in
 */

const STORE = 'provider/redis/store.js';
const TURNS = 'provider/redis/turns.js';
const SCRIPT = 'provider/redis/script.js';
const FENCES = 'provider/redis/fences.js';

/** Durations are read off the wall clock. @param {readonly string[]} files */
function onTheWall(files) {
  return files.map(
    (file) => /** @type {const} */ ([file, 'performance.now()', '(Date.now() - performance.timeOrigin)']),
  );
}

/** @type {readonly Variant[]} */
export const VARIANTS = [
  {
    ...{ name: 'everybody', breaks: 'whoever asks is given the key', provider: 'redis', plan: 'none', quick: true },
    checks: ['exclusion'],
    edits: [
      [
        SCRIPT,
        'local function status(key, current, queue, entry)',
        'local function status(key, current, queue, entry)\n  if math.random() < 2 then return fences(1) end',
      ],
    ],
  },
  {
    ...{ name: 'forever', breaks: 'a lease counts for twice its ttl', provider: 'redis', plan: 'stop', quick: true },
    checks: ['exclusion'],
    edits: [[STORE, 'return sent + ttl - DRIFT - ttl * DRIFT_RATE;', 'return sent + 2 * ttl;']],
  },
  {
    ...{ name: 'answered', breaks: 'a lease counts from its answer', provider: 'redis', plan: 'late' },
    checks: ['exclusion'],
    edits: [[STORE, 'this.deadline(wait.sent, wait.ask.ttl)', 'this.deadline(performance.now(), wait.ask.ttl)']],
  },
  {
    ...{ name: 'heard', breaks: 'a lease counts from when its message is read', provider: 'redis', plan: 'stop' },
    checks: ['exclusion'],
    edits: [[TURNS, 'const at = wait.earliest(message.time, arrival, generation);', 'const at = arrival;']],
  },
  {
    ...{
      name: 'fence',
      breaks: 'hand-overs inside a process share a fence',
      provider: 'redis',
      plan: 'none',
      quick: true,
    },
    checks: ['fences'],
    edits: [[FENCES, 'this.first + this.used++', 'this.first + this.used']],
  },
  {
    ...{ name: 'guard', breaks: 'fences are a clock that goes back', provider: 'redis', plan: 'none' },
    checks: ['fences'],
    edits: [[SCRIPT, 'last = math.max(now() - 1, kept)', 'last = now() - 3 * (now() % 1000000)']],
  },
  {
    ...{ name: 'register', breaks: 'the register lets stale writers in', provider: 'redis', plan: 'none', quick: true },
    checks: ['register'],
    edits: [],
    lets: true,
  },
  {
    ...{ name: 'patient', breaks: 'nobody asks on his own', provider: 'redis', plan: 'expiry' },
    checks: ['liveness'],
    edits: [
      [STORE, 'const SAFETY = 1_000;', 'const SAFETY = 60_000;'],
      [STORE, 'Math.min(left + 1 + 2 * Math.random(), most', 'Math.min(60_000, most'],
    ],
  },
  {
    ...{ name: 'keeper', breaks: 'a grant that nobody waits for is kept', provider: 'redis', plan: 'aborts' },
    checks: ['liveness', 'leftovers'],
    edits: [[STORE, 'this.#undoing.start(wait, ask, value, this.#isAstray(wait), attempt);', 'void attempt;']],
  },
  {
    ...{ name: 'endless', breaks: 'a hold that is handed on has no end', provider: 'redis', plan: 'kill' },
    checks: ['leftovers', 'liveness'],
    edits: [[SCRIPT, "redis.call('SET', key, value, 'PX', ttl)", "redis.call('SET', key, value)"]],
  },
  {
    ...{
      name: 'lines',
      breaks: 'the line of those who wait has no end',
      provider: 'redis',
      plan: 'kill-all',
      quick: true,
    },
    checks: ['leftovers'],
    edits: [[SCRIPT, "redis.call('PEXPIRE', queue, 120000)", 'local _ = 0']],
  },
  {
    ...{
      name: 'unhandled',
      breaks: 'a renewal that fails is nobody to catch',
      provider: 'redis',
      plan: 'freeze',
      quick: true,
    },
    checks: ['errors'],
    edits: [
      [
        'renewal.js',
        'if (error instanceof LockNotHeldError ||',
        'throw error;\n            if (error instanceof LockNotHeldError ||',
      ],
    ],
  },
  {
    ...{ name: 'stays', breaks: 'a renewal keeps its process alive', provider: 'redis', plan: 'exits' },
    checks: ['ends'],
    edits: [['renewal.js', 'this.#timer.unref();', '']],
  },
  {
    ...{ name: 'shared', breaks: 'a key that is held is granted', provider: 'go_cache', plan: 'none', quick: true },
    checks: ['exclusion'],
    edits: [['queues.js', '&& place.free(now)', '']],
  },
  {
    ...{ name: 'counter', breaks: 'fences do not grow', provider: 'go_cache', plan: 'none', quick: true },
    checks: ['fences'],
    edits: [['provider/go_cache.js', 'return (lastFence[0] += 1);', 'return lastFence[0];']],
  },
  {
    ...{ name: 'wall', breaks: 'a lease counts by the wall clock', provider: 'go_cache', plan: 'clock' },
    checks: ['exclusion'],
    edits: onTheWall(['coarse_clock.js', 'lock.js', 'queue.js', 'queues.js', 'signal.js', 'provider/go_cache.js']),
  },
  {
    ...{ name: 'asleep', breaks: 'the end of a hold wakes nobody', provider: 'go_cache', plan: 'stalls', quick: true },
    checks: ['liveness', 'answers', 'ends'],
    edits: [['queue.js', 'return this.#arm(this.holder.until);', 'return;']],
  },
];

/**
 * A copy of the built library with a promise broken.
 * @param {string} dist folder of the built library
 * @param {Variant} variant
 * @param {string} under where packages are found by their names
 */
export function broken(dist, { name, edits }, under) {
  mkdirSync(under, { recursive: true });
  const folder = mkdtempSync(join(under, `faults-${name}-`));
  cpSync(dist, folder, { recursive: true });
  for (const [file, from, to] of edits) {
    const path = join(folder, 'config/lock', file);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`${name}: the text to break is not in ${file}:\n${from}`);
    writeFileSync(
      path,
      text.replaceAll(from, () => to),
    );
  }
  return folder;
}
