// @ts-check
import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { now } from './diary.js';
import { Servers } from './servers.js';
import { watch } from './watchdog.js';

/** @typedef {import('./oracle.js').Member & { child: import('node:child_process').ChildProcess; stopped: boolean; ended: boolean; how: string; early: boolean }} Running */

/**
 * What processes do beside locking.
 * @typedef {object} Mood
 * @property {number} [aborts] weight of waits that are aborted within 30 ms; 10 of some 90 unless told
 * @property {number} [lingers] the share of holds that are never given back, so that they last for their ttl
 * @property {boolean} [thread] another thread renews
 * @property {number} [refreshes] the share of holds that are given another lifetime
 * @property {number} [shares] the share of holds under one token of the process' own
 * @property {number} [renews] the share of routines that are long enough to be renewed
 * @property {boolean} [plain] all waits are without an end, and nothing else is asked
 * @property {number} [stalls] the share of holds in which the event loop stands still
 * @property {number} [exits] the share of holds in which the process exits
 * @property {boolean} [heavy] holds burn time of the processor, and so does a thread beside them
 * @property {boolean} [yields] hot keys are let be free for clients that poll
 * @property {boolean} [roams] every waiter takes any key each time
 */

/**
 * What a worker is told.
 * @typedef {object} Work
 * @property {string} lib the built library's locks
 * @property {number} at which process it is
 * @property {import('./servers.js').Way} [redis] left out for locks in memory
 * @property {{ port: number; name: string; refuses: boolean }} register
 * @property {string} file its diary
 * @property {number} seed
 * @property {string} prefix of the keys; they go on `faults:` and a number
 * @property {number} keys how many there are
 * @property {number} waiters for each key; with `roams` in all
 * @property {number} ttl
 * @property {number} limit of a command
 * @property {number} grace within which it must be served at the end
 * @property {readonly string[]} warnings codes of LockWarnings that may come
 * @property {Mood} mood
 */

/**
 * How a plan is run.
 * @typedef {object} Settings
 * @property {number} seed
 * @property {number} seconds for which faults are injected
 * @property {number} ttl the shortest one, in milliseconds; up to half as much more is used too
 * @property {number} processes
 * @property {number} waiters
 * @property {number} keys
 * @property {string} dist folder of the built library
 * @property {string} folder for diaries
 * @property {number} register port of the Redis that has the registers
 * @property {boolean} refuses whether the register refuses stale writers
 */

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** What stays: a guard of the fences, on a cluster one for each slot; and for a while the line of a key. */
const GUARD = /^mlk:fence({\w+})?$/;
const LINE = /:~q({\w+})?$/;
/** Longer ttls than the base are used, too. */
export const LONGEST = 1.5;
/** Codes of what may be told in every plan: a key that another has, a hold that ran out, a wait that was aborted. */
export const EXPECTED = ['ERR_LOCK_NOT_OBTAINED', 'ERR_LOCK_NOT_HELD', 'TimeoutError', 'OUTLIVED', 'ERR_LOCK_LOST'];
export const UNREACHABLE = ['ERR_LOCK_PROVIDER_UNREACHABLE'];
/** The longest wait that has an end, in the workers. */
const LONGEST_WAIT = 2_000;
/** How long an end may take on a busy machine, on top of what is waited for. */
const ENDING = 15_000;
/** When the suite's own process stands still for so long, the machine does, or is busy with others. */
const STANDSTILL = 200;
const BEAT = 50;
/** How long a process may take to come up on a busy machine. */
const COMING = 60_000;

/** Processes and servers of one run of a plan, what was done to them, and what it excuses. */
export class Field {
  /** @type {Running[]} */ members = [];
  /** @type {import('./oracle.js').Trouble[]} */ troubles = [];
  /** @type {import('./oracle.js').Loss[]} */ losses = [];
  /** @type {import('./oracle.js').Wrong[]} */ wrong = [];
  /** @type {Promise<void>[]} Faults that go on beside others. */ under = [];
  injected = 0;
  closing = false;
  /** @type {NodeJS.Timeout | undefined} */ #pulse;

  /**
   * @param {import('./plans.js').Plan} plan
   * @param {Settings} settings
   * @param {import('./random.js').Random} random
   */
  constructor(plan, settings, random) {
    this.plan = plan;
    this.settings = settings;
    this.random = random;
    this.servers = plan.provider === 'redis' ? new Servers(plan.wiring ?? 'direct', plan.args ?? []) : undefined;
    this.keys = Array.from({ length: plan.keys ?? settings.keys }, (_, at) => `faults:${at}`);
    this.limit = plan.limit ?? 2_000;
    this.ttl = settings.ttl;
    this.longest = settings.ttl * LONGEST;
    /** Two unanswered commands, and a hold of somebody who is gone, may stand before everybody's last turn. */
    this.grace = Math.round(2 * this.limit + 2 * this.longest + 3_000);
  }

  /** The servers, of a plan on redis. */
  get net() {
    if (!this.servers) throw new Error(`${this.plan.name}: there is no server`);
    return this.servers;
  }

  /** A connection to the master that nothing is done to. */
  get admin() {
    return this.net.master.admin;
  }

  async open() {
    const { processes } = this.settings;
    this.#listenToMachine();
    await this.servers?.open();
    for (let n = 0; n < processes; n += 1) await this.start('worker');
    for (let n = 0; n < (this.plan.go ?? 0); n += 1) await this.start('go');
  }

  #listenToMachine() {
    let last = now();
    this.#pulse = setInterval(() => {
      const late = now() - last - BEAT;
      if (late > STANDSTILL) this.trouble(last, late, 'machine');
      last = now();
    }, BEAT).unref();
  }

  /** @param {'worker' | 'go'} kind */
  async start(kind) {
    const at = this.members.length;
    const { child, file } = await this.#spawn(kind, at);
    /** @type {Running} */ const member = {
      ...{ file, kind, child, killedAt: Infinity, stops: [], stopped: false, ended: false, how: '', early: false },
    };
    this.members.push(member);
    child.stdin?.on('error', () => undefined);
    child.stderr
      ?.setEncoding('utf8')
      .on('data', (text) => this.wrong.push({ check: 'errors', text: `${kind} ${at} says: ${text}` }));
    watch(child);
    child.once('exit', (code, signal) => {
      member.ended = true;
      member.early = !this.closing;
      member.how = signal ?? `code ${code}`;
      // Another comes for one that left by itself, as it should in some plans.
      if (this.plan.mood?.exits && member.early && code === 0) this.under.push(this.start(kind).then(() => undefined));
    });
    return member;
  }

  /** @param {'worker' | 'go'} kind @param {number} at */
  async #spawn(kind, at) {
    const { plan, settings, ttl, limit, grace } = this;
    const file = join(settings.folder, `${at}.log`);
    const redis = await this.servers?.way();
    /** @type {Work} */ const work = {
      lib: pathToFileURL(join(settings.dist, 'config/lock/index.js')).href,
      ...{ at, file, ttl, limit, grace, mood: plan.mood ?? {}, waiters: plan.waiters ?? settings.waiters },
      ...(redis ? { redis } : {}),
      // Locks in memory exclude nobody outside: each process has keys of its own.
      prefix: redis ? '' : `${at}:`,
      keys: this.keys.length,
      register: { port: settings.register, name: `${plan.name}:${settings.seed}`, refuses: settings.refuses },
      seed: Math.floor(this.random.next() * 2 ** 32),
      warnings: [...EXPECTED, ...(redis ? UNREACHABLE : []), ...(plan.codes ?? []), ...(plan.warnings ?? [])],
    };
    const script = join(HERE, kind === 'go' ? 'go_client.js' : 'worker.js');
    const before = plan.clock ? ['--import', join(HERE, 'wall_clock.js')] : [];
    const child = spawn(process.execPath, ['--no-warnings', ...before, script, JSON.stringify(work)], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    return { child, file };
  }

  /** Those who run and may be done something to. */
  get alive() {
    return this.members.filter(({ ended, stopped, killedAt }) => !ended && !stopped && killedAt === Infinity);
  }

  /** Whether a process broke by itself: the rest would show nothing. */
  get broken() {
    return this.members.some((member) => member.ended && member.killedAt === Infinity && !this.plan.mood?.exits);
  }

  /** @param {Running} member */
  kill(member) {
    member.killedAt = now();
    member.child.kill('SIGKILL');
  }

  /** @param {number} from @param {number} allows @param {string} what @param {string} [key] */
  trouble(from, allows, what, key) {
    this.troubles.push({ from, to: now(), allows, what, ...(key === undefined ? {} : { key }) });
  }

  /** @param {number} from @param {string} [key] */
  lost(from, key) {
    this.losses.push({ from, to: now(), ...(key === undefined ? {} : { key }) });
  }

  /** Resolves when the processes of the beginning have asked for something. */
  async started() {
    const first = [...this.members];
    const limit = now() + COMING;
    while (!first.every(({ file }) => hasLines(file)) && !this.broken && now() < limit) await sleep(10);
  }

  /** Everybody is told to finish; who does not end by itself is ended. */
  async finish() {
    while (this.under.length > 0) await this.under.shift();
    const from = now();
    this.closing = true;
    if (this.plan.ends === 'killed') this.alive.forEach((member) => this.kill(member));
    for (const { child } of this.members) child.stdin?.end();
    const limit = from + this.grace + LONGEST_WAIT + 2 * this.limit + this.longest + ENDING;
    while (this.members.some(({ ended }) => !ended) && now() < limit) await sleep(10);
    this.members.forEach(({ ended, child, kind }, at) => {
      if (ended) return;
      this.wrong.push({ check: 'ends', text: `${kind} ${at} did not end by itself` });
      child.kill('SIGKILL');
    });
  }

  /** What is in Redis when nobody is there any more and every ttl is over. */
  async leftovers() {
    for (const { admin } of this.net.masters) {
      for (const key of await admin.keys('*')) await this.#leftover(admin, key);
    }
  }

  /** @param {import('ioredis').Redis} admin @param {string} key */
  async #leftover(admin, key) {
    if (GUARD.test(key)) {
      const guard = Number((await admin.get(key)) ?? 0);
      if (!Number.isSafeInteger(guard)) this.wrong.push({ check: 'leftovers', text: `the fence guard is ${guard}` });
      return;
    }
    const left = await admin.pttl(key);
    // A process that was killed while it waited, or that could not reach the server, may leave its line for so long.
    const line = LINE.test(key) && left >= 0 && left <= 120_000;
    const allowed = left === -2 || (line && !this.plan.tidy);
    if (!allowed) this.wrong.push({ check: 'leftovers', text: `${key}, for ${left} ms` });
  }

  async close() {
    clearInterval(this.#pulse);
    for (const { ended, child } of this.members) if (!ended) child.kill('SIGKILL');
    await this.servers?.close();
  }
}

/** @param {string} file */
function hasLines(file) {
  return existsSync(file) && statSync(file).size > 0;
}
