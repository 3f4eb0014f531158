// @ts-check
// Locks under everything that can go wrong, for a while, and whether they kept their promises:
//   node test/chaos/run.js --seed 7 --seconds 30 --processes 4 --waiters 6 --keys 2 --ttl 1000
// Exit code 1 when a promise was broken. `--help` tells the options.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import { RedisProcess } from '../support/redis_process.js';
import { now } from './diary.js';
import { gaps, inversions, overlaps, read } from './oracle.js';
import { Random } from './random.js';
import { broken, VARIANTS } from './variants.js';

/** @typedef {import('./oracle.js').Member} Member */
/** @typedef {import('./oracle.js').Trouble} Trouble */
/** @typedef {Member & { child: import('node:child_process').ChildProcess; stopped: boolean; ended: boolean }} Running */

const HERE = fileURLToPath(new URL('.', import.meta.url));
const PROJECT = join(HERE, '../..');
const DEFAULTS = {
  seed: '1',
  seconds: '20',
  processes: '4',
  waiters: '6',
  keys: '2',
  ttl: '1000',
  go: '1',
  dist: 'dist',
  variant: '',
  faults: 'kill,stop,pubsub,normal,flush,del,freeze',
};
const HELP = `options and their defaults:
${Object.entries(DEFAULTS)
  .map(([name, value]) => `  --${name} ${value}`)
  .join('\n')}
  --resp2     the server speaks RESP2 alone
  --json      the report as one line
  --keep      the diaries are not removed
faults: kill stop pubsub normal flush del freeze restart
variants, each a broken promise that must be noticed: ${Object.keys(VARIANTS).join(' ')}
`;
/** How long after the end of a hold, at the latest, somebody who waits has the key: the safety timer and its answer. */
const SLACK = 1_250;
/** Longer ones than the base ttl are used, too. */
const LONGEST_TTL = 1.5;

const { values } = parseArgs({
  options: {
    ...Object.fromEntries(
      Object.entries(DEFAULTS).map(([name, value]) => [
        name,
        { type: /** @type {const} */ ('string'), default: value },
      ]),
    ),
    resp2: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
const options =
  /** @type {Record<keyof typeof DEFAULTS, string> & Record<'resp2' | 'json' | 'keep' | 'help', boolean>} */ (
    /** @type {unknown} */ (values)
  );
if (options.help) process.stdout.write(HELP);
else process.exitCode = (await main()) ? 0 : 1;

async function main() {
  const seed = Number(options.seed);
  const ttl = Number(options.ttl);
  const random = new Random(seed);
  const keys = Array.from({ length: Number(options.keys) }, (_, at) => `chaos:${at}`);
  mkdirSync(join(PROJECT, 'build'), { recursive: true });
  const folder = mkdtempSync(join(PROJECT, 'build', 'chaos-run-'));
  const dist = options.variant
    ? broken(resolve(PROJECT, options.dist), options.variant, join(PROJECT, 'build'))
    : resolve(PROJECT, options.dist);
  const lib = pathToFileURL(join(dist, 'config/lock/index.js')).href;
  if (!existsSync(fileURLToPath(lib))) throw new Error(`--dist: no built library in ${dist}; npm run build makes it`);

  const server = new RedisProcess();
  await server.prepare();
  const launch = () =>
    server.launch((port) => [
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--appendonly',
      'no',
      ...(options.resp2 ? ['--rename-command', 'HELLO', ''] : []),
    ]);
  await launch();
  const url = `redis://127.0.0.1:${server.port}`;
  const admin = new Redis(url, { retryStrategy: () => 50, maxRetriesPerRequest: null });
  admin.on('error', () => undefined);

  /** @type {Running[]} */ const members = [];
  /** @type {Trouble[]} */ const troubles = [];
  /** @type {number[]} */ const restarts = [];
  /** @type {string[]} */ const wrong = [];
  /** @type {Record<string, number>} */ const faults = {};
  let closing = false;

  /** @param {'worker' | 'go'} kind */
  function start(kind) {
    const file = join(folder, `${members.length}.log`);
    const work = {
      lib,
      url,
      file,
      keys,
      ttl,
      seed: Math.floor(random.next() * 2 ** 32),
      waiters: Number(options.waiters),
      limit: 5_000,
    };
    const script = join(HERE, kind === 'go' ? 'go_client.js' : 'worker.js');
    const child = spawn(process.execPath, [script, JSON.stringify(work)], { stdio: ['pipe', 'ignore', 'pipe'] });
    /** @type {Running} */ const member = {
      file,
      kind,
      child,
      killedAt: Infinity,
      stops: [],
      stopped: false,
      ended: false,
    };
    const at = members.push(member) - 1;
    child.stdin?.on('error', () => undefined);
    child.stderr?.setEncoding('utf8').on('data', (text) => {
      if (!/not given back|Use `node --trace/.test(text)) wrong.push(`${kind} ${at} says: ${text}`);
    });
    child.once('exit', (code, signal) => {
      member.ended = true;
      if (member.killedAt === Infinity && (code !== 0 || signal || !closing))
        wrong.push(`${kind} ${at} ended with ${signal ?? `code ${code}`}`);
    });
  }

  for (let n = 0; n < Number(options.processes); n += 1) start('worker');
  for (let n = 0; n < Number(options.go); n += 1) start('go');
  await sleep(400);

  const end = now() + Number(options.seconds) * 1_000;
  const chosen = options.faults.split(',').filter(Boolean);
  /** @type {Promise<void>[]} */ const under = [];
  const alive = () => members.filter(({ ended, stopped, killedAt }) => !ended && !stopped && killedAt === Infinity);

  /** @type {Record<string, () => Promise<void> | void>} */
  const deeds = {
    kill() {
      const member = random.one(alive());
      if (!member) return;
      const at = now();
      member.killedAt = at;
      member.child.kill('SIGKILL');
      troubles.push({ from: at, to: at + 1, costs: 1, what: 'kill' });
      start(member.kind);
    },
    async stop() {
      if (members.filter(({ stopped }) => stopped).length >= 2) return;
      const member = random.one(alive());
      if (!member) return;
      const length = random.between(0.2, 2.7) * ttl;
      const from = now();
      member.stopped = true;
      member.child.kill('SIGSTOP');
      /** @type {[number, number]} */ const stop = [from, from + length];
      member.stops.push(stop);
      const trouble = { from, to: from, costs: 1, what: `stop ${members.indexOf(member)} ${Math.round(length)}` };
      troubles.push(trouble);
      await sleep(length);
      member.child.kill('SIGCONT');
      stop[1] = now();
      // What was given to it, or done by it, before it could tell, may last for a ttl, but not beside a hold.
      trouble.to = stop[1];
      member.stopped = false;
    },
    async pubsub() {
      await cut('pubsub');
    },
    async normal() {
      await cut('normal');
    },
    async flush() {
      await admin.script('FLUSH');
    },
    async del() {
      const at = now();
      await admin.del(`${random.one(keys)}:~q`);
      troubles.push({ from: at, to: now(), costs: 0, what: 'del' });
    },
    async freeze() {
      const from = now();
      server.signal('SIGSTOP');
      await sleep(random.between(50, 1_500));
      server.signal('SIGCONT');
      troubles.push({ from, to: now(), costs: 0, what: `freeze ${Math.round(now() - from)}` });
    },
    async restart() {
      const from = now();
      restarts.push(from);
      await server.kill();
      await sleep(random.between(0, 800));
      await launch();
      restarts.push(now());
      // Clients open their connections again after a pause of half a second at most.
      troubles.push({ from, to: now() + 500, costs: 0, what: 'restart' });
    },
  };

  /** @param {'pubsub' | 'normal'} type */
  async function cut(type) {
    const at = now();
    await admin.call('CLIENT', 'KILL', 'TYPE', type).catch(() => undefined);
    troubles.push({ from: at, to: now(), costs: 0, what: type });
  }

  let said = now();
  // A process that broke by itself ends the run: the rest would show nothing.
  while (now() < end && !members.some(({ ended, killedAt }) => ended && killedAt === Infinity)) {
    await sleep(random.between(60, 500));
    const name = random.one(chosen);
    if (name) {
      faults[name] = (faults[name] ?? 0) + 1;
      const deed = deeds[name];
      if (!deed) throw new Error(`--faults: found ${name}, expected some of ${Object.keys(deeds).join(',')}`);
      const done = Promise.resolve(deed());
      if (name === 'stop') under.push(done);
      else await done;
    }
    if (!options.json && now() - said > 5_000) {
      said = now();
      process.stdout.write(`seed ${seed}: ${Math.round((end - now()) / 1_000)} s to go\n`);
    }
  }
  await Promise.all(under);
  const finished = now();
  closing = true;
  for (const { child } of members) child.stdin?.end();
  const limit = now() + ttl * LONGEST_TTL * 2 + 6_000;
  while (members.some(({ ended }) => !ended) && now() < limit) await sleep(20);
  members.forEach(({ ended, child, kind }, at) => {
    if (ended) return;
    wrong.push(`${kind} ${at} did not end by itself`);
    child.kill('SIGKILL');
  });
  const ended = now();
  await sleep(ttl * LONGEST_TTL + 100);
  const left = await leftovers(admin);
  const lead = Number((await admin.get('mlk:fence')) ?? 0) / 1_000 - Date.now();
  const commands = Number(/total_commands_processed:(\d+)/.exec(await admin.info('stats'))?.[1]);
  admin.disconnect();
  await server.stop();

  const story = read(members);
  const { holds, waits, told } = story;
  wrong.push(...story.wrong);
  const over = overlaps(holds, restarts);
  const inverted = inversions(holds);
  const free = gaps(holds, waits, [...troubles, ...story.doubts], ttl * LONGEST_TTL, finished);
  const long = free.filter(({ ms, allowed }) => ms > SLACK + allowed);
  for (const { first, second, ms } of over.slice(0, 5))
    wrong.push(`overlap of ${ms.toFixed(1)} ms on ${first.key}: ${tell(first)} and ${tell(second)}`);
  for (const { first, second } of inverted.slice(0, 5))
    wrong.push(`fence inversion on ${first.key}: ${tell(first)}, then ${tell(second)}`);
  for (const { key, who, from, ms, allowed, why } of long.slice(0, 5))
    wrong.push(
      `${key} was free for ${ms.toFixed(0)} ms from ${from.toFixed(0)} although ${who} waited; allowed ${(SLACK + allowed).toFixed(0)} (${why.join(', ')})`,
    );
  const kinds = Object.keys(told).filter(
    (code) =>
      ![
        'ERR_LOCK_NOT_OBTAINED',
        'ERR_LOCK_NOT_HELD',
        'TimeoutError',
        'OUTLIVED',
        'ERR_LOCK_LOST',
        'ERR_LOCK_PROVIDER_UNREACHABLE',
      ].includes(code),
  );
  for (const code of kinds) wrong.push(`${told[code]} calls ended with ${code}`);
  wrong.push(...left.wrong);

  const unexcused = free.filter(({ allowed }) => allowed === 0);
  const report = {
    ...{ seed, ttl, processes: Number(options.processes), waiters: Number(options.waiters), keys: keys.length },
    ...(options.variant ? { variant: options.variant } : {}),
    seconds: Math.round((ended - end) / 1_000 + Number(options.seconds)),
    leases: holds.length,
    ours: holds.filter(({ ours }) => ours).length,
    overlaps: over.length,
    inversions: inverted.length,
    worstGap: Math.round(free[0]?.ms ?? 0),
    worstGapUnexcused: Math.round(unexcused[0]?.ms ?? 0),
    tooLong: long.length,
    longestWait: Math.round(Math.max(0, ...waits.filter(({ to }) => to < Infinity).map(({ from, to }) => to - from))),
    guardLead: Math.round(lead),
    commands,
    leftLists: left.lists,
    faults,
    told,
    wrong: wrong.length,
  };
  if (options.json) process.stdout.write(`${JSON.stringify({ ...report, wrong })}\n`);
  else {
    for (const [name, value] of Object.entries(report))
      process.stdout.write(`${name.padEnd(18)} ${typeof value === 'object' ? JSON.stringify(value) : value}\n`);
    for (const text of wrong) process.stdout.write(`WRONG ${text}\n`);
    for (const { key, who, ms, from, why } of free.slice(0, 3))
      process.stdout.write(`gap ${ms.toFixed(0)} ms ${key} at ${from.toFixed(0)} ${who} (${why.join(', ')})\n`);
  }
  if (!options.keep || wrong.length === 0) rmSync(folder, { recursive: true, force: true });
  else process.stdout.write(`diaries: ${folder}\n`);
  if (options.variant) rmSync(dist, { recursive: true, force: true });
  return wrong.length === 0;
}

/** What is in Redis when nobody is there any more and every ttl is over. @param {Redis} admin */
async function leftovers(admin) {
  const wrong = [];
  let lists = 0;
  for (const key of await admin.keys('*')) {
    if (key === 'mlk:fence') continue;
    const left = await admin.pttl(key);
    if (left === -2) continue;
    if (key.endsWith(':~q') && left >= 0 && left <= 120_000) lists += 1;
    else wrong.push(`left in Redis: ${key}, for ${left} ms`);
  }
  return { wrong, lists };
}

/** @param {import('./oracle.js').Hold} hold */
function tell({ who, from, to, fence }) {
  return `${who} [${from.toFixed(1)}, ${to.toFixed(1)}] fence ${fence}`;
}
