// @ts-check
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './diary.js';
import { EXPECTED, Field, UNREACHABLE } from './field.js';
import { gaps, inversions, misuses, overlaps, read } from './oracle.js';
import { Random } from './random.js';
import { SharedRegister } from './register.js';

/** @typedef {import('./oracle.js').Hold} Hold */

/**
 * What a run of a plan gave.
 * @typedef {object} Result
 * @property {string} provider
 * @property {string} plan
 * @property {string} fault
 * @property {number} seed
 * @property {number} seconds
 * @property {number} injected faults
 * @property {number} acquisitions
 * @property {number} writes to the register
 * @property {number} refused those of stale writers
 * @property {number} excused holds that overlapped because the server had lost one of them
 * @property {number} longestWait of somebody who was served, in ms
 * @property {number} longestGap in which a key was free and waited for, in ms
 * @property {Record<string, number>} told errors by their codes
 * @property {import('./oracle.js').Wrong[]} violations
 */

/**
 * How long after the end of a hold, at the latest, somebody who waits has the key when nothing happened: on redis the safety
 * timer of a second, its answer, and a busy machine; in memory a timer and a busy machine.
 */
const SLACK = { redis: 1_500, go_cache: 1_000 };
/** Of one check, so many are told. */
const TOLD = 5;
const PAUSE = /** @type {const} */ ([60, 400]);

/**
 * Runs a plan: processes, faults, the end of all of them, and what the oracle says of it.
 * @param {import('./plans.js').Plan} plan
 * @param {Omit<import('./field.js').Settings, 'folder'> & { build: string; keep: boolean }} options `build`: where a folder for
 *   diaries is made, which stays when a promise was broken and `keep` is set
 * @returns {Promise<Result>}
 */
export async function runPlan(plan, options) {
  const random = new Random(mixed(options.seed, `${plan.provider} ${plan.name}`));
  mkdirSync(options.build, { recursive: true });
  const folder = mkdtempSync(join(options.build, `faults-${plan.provider}-${plan.name}-`));
  const field = new Field(plan, { ...options, folder }, random);
  let kept = false;
  try {
    await field.open();
    await field.started();
    await injure(field, Math.max(options.seconds, plan.atLeast ?? 0));
    const finished = now();
    await field.finish();
    if (field.servers) {
      await sleep(field.longest + 100);
      await field.leftovers();
    }
    const result = await judge(field, finished);
    kept = options.keep && result.violations.length > 0;
    if (kept) result.violations.push({ check: 'diaries', text: folder });
    return result;
  } finally {
    await field.close();
    if (!kept) rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {Field} field @param {number} seconds */
async function injure(field, seconds) {
  const { random, plan } = field;
  const [least, most] = plan.pause ?? PAUSE;
  const end = now() + seconds * 1_000;
  if (plan.atLeast) await sleep(300);
  for (let first = true; now() < end && !field.broken; first = false) {
    // The rarest faults come at once, or a short run would see none of them.
    if (!first || !plan.atLeast) await sleep(Math.min(random.between(least, most), Math.max(0, end - now())));
    if (!plan.inject || now() >= end) continue;
    await plan.inject(field);
    field.injected += 1;
  }
}

/** @param {Field} field @param {number} finished when the processes were told to end @returns {Promise<Result>} */
async function judge(field, finished) {
  const { plan, settings, losses, longest } = field;
  const { holds, waits, attempts, doubts, stalls, told, texts, ...story } = read(field.members);
  /** @type {(check: string, texts: string[]) => void} */
  const wrong = (check, texts) => {
    field.wrong.push(...texts.slice(0, TOLD).map((text) => ({ check, text })));
  };
  field.wrong.push(...story.wrong);
  field.members.forEach(({ early, how, killedAt, kind }, at) => {
    if (killedAt === Infinity && (early || how !== 'code 0')) wrong('ends', [`${kind} ${at} ended with ${how}`]);
  });
  const over = overlaps(holds, losses, longest);
  wrong(
    'exclusion',
    over.map(({ first, second, ms }) => `${ms.toFixed(1)} ms on ${first.key}: ${tell(first)} and ${tell(second)}`),
  );
  const unordered = inversions(holds, losses, longest);
  wrong(
    'fences',
    unordered.map(({ first, second }) => `on ${first.key}: ${tell(first)}, then ${tell(second)}`),
  );
  const log = field.servers ? await registered(field) : attempts;
  wrong('register', misuses(log, attempts, holds, losses, longest));
  // As with a process that is stopped: what it was given meanwhile may last for a ttl.
  const own = stalls.map(([from, to]) => ({ from, to, allows: longest, what: `stall ${Math.round(to - from)}` }));
  const free = gaps(holds, waits, [...field.troubles, ...doubts, ...own], longest, finished);
  const slack = plan.slack ?? SLACK[plan.provider];
  const tooLong = free.filter(({ ms, allowed }) => ms > slack + allowed);
  wrong(
    'liveness',
    tooLong.map((gap) => freeFor(gap, slack)),
  );
  const expected = [...EXPECTED, ...(field.servers ? UNREACHABLE : []), ...(plan.codes ?? [])];
  const strange = Object.entries(told).filter(([code]) => !expected.includes(code));
  wrong(
    'errors',
    strange.map(([code, count]) => `${count} calls ended with ${code}: ${texts[code]}`),
  );
  if (holds.length === 0) wrong('liveness', ['nobody ever had a key']);
  return {
    ...{ provider: plan.provider, plan: plan.name, fault: plan.fault, seed: settings.seed, seconds: settings.seconds },
    injected: field.injected + story.injected + (plan.mood?.aborts ? (told['TimeoutError'] ?? 0) : 0),
    acquisitions: holds.length,
    writes: log.length,
    refused: log.filter(({ accepted }) => !accepted).length,
    excused: overlaps(holds, [], longest).length - over.length,
    longestWait: Math.round(
      waits.reduce((most, { from, to }) => (to < Infinity ? Math.max(most, to - from) : most), 0),
    ),
    longestGap: Math.round(free[0]?.ms ?? 0),
    told,
    violations: field.wrong,
  };
}

/** @param {Field} field */
async function registered({ plan, settings }) {
  const register = new SharedRegister(settings.register, `${plan.name}:${settings.seed}`);
  const log = await register.log();
  register.close();
  return log;
}

/** @param {ReturnType<typeof gaps>[number]} gap @param {number} slack */
function freeFor({ key, who, from, ms, allowed, why }, slack) {
  const most = (slack + allowed).toFixed(0);
  return `${key} was free for ${ms.toFixed(0)} ms from ${from.toFixed(0)} although ${who} waited; at most ${most} (${why.join(', ')})`;
}

/** @param {Hold} hold */
function tell({ who, from, to, fence }) {
  return `${who} [${from.toFixed(1)}, ${to.toFixed(1)}] fence ${fence}`;
}

/** A seed of its own for each plan, so that one of them alone runs as it did among others. @param {number} seed @param {string} name */
function mixed(seed, name) {
  let mix = seed >>> 0;
  for (const letter of name) mix = (Math.imul(mix, 31) + letter.charCodeAt(0)) >>> 0;
  return mix;
}
