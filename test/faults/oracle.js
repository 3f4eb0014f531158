// @ts-check
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Member a process of a run
 * @property {string} file its diary
 * @property {'worker' | 'go'} kind
 * @property {number} killedAt Infinity unless it was killed, or left by itself in the middle
 * @property {[from: number, to: number][]} stops when it stood still
 *
 * @typedef {object} Hold what its holder believes: the key is its own from `from` to `to`
 * @property {string} who `process#id`
 * @property {string} key
 * @property {number} asked since when it waited
 * @property {number} from
 * @property {number} to
 * @property {number} until what was claimed at first
 * @property {number} fence
 * @property {boolean} ours
 *
 * @typedef {object} Waiting somebody waits
 * @property {string} who
 * @property {string} key
 * @property {number} from
 * @property {number} to
 * @property {Member} member
 *
 * @typedef {object} Trouble what may keep a key from everybody without breaking a promise
 * @property {number} from
 * @property {number} to
 * @property {number} allows for so many milliseconds
 * @property {string} what
 * @property {string} [key] the one that it concerns; all of them if left out
 *
 * @typedef {object} Loss what the server knew of holds was taken from it: a hold that was asked for before its end may last
 *   beside a later one, for as long as its ttl
 * @property {number} from
 * @property {number} to
 * @property {string} [key] the one that it concerns; all of them if left out
 *
 * @typedef {object} Attempt to write to the register, as the writer saw it
 * @property {string} who
 * @property {string} key
 * @property {number} from
 * @property {number} to
 * @property {number} fence
 * @property {boolean} accepted
 *
 * @typedef {{ check: string; text: string }} Wrong a promise that was broken, and which check says so
 */

/** Gaps shorter than this are the work of timers. */
const SHORTEST_GAP = 50;
/** What a process finds when it wakes up takes it a moment. */
const WAKING = 100;

/**
 * What happened, from the diaries of all processes. Sets `killedAt` of those who left in the middle, and adds to `stops`
 * where they stood still by themselves.
 * @param {readonly Member[]} members
 */
export function read(members) {
  /** @type {Hold[]} */ const holds = [];
  /** @type {Waiting[]} */ const waits = [];
  /** @type {Trouble[]} */ const doubts = [];
  /** @type {Attempt[]} */ const attempts = [];
  /** @type {Wrong[]} */ const wrong = [];
  /** @type {Record<string, number>} */ const told = {};
  /** @type {Record<string, string>} What an error said at first, by its code. */ const texts = {};
  /** @type {[from: number, to: number][]} Of processes that stood still by themselves. */ const stalls = [];
  let injected = 0;
  members.forEach((member, at) => {
    const lines = diary(member.file).map((line) => line.split(' '));
    // A process that exits is as dead from then on as one that is killed.
    for (const [event, time] of lines) {
      if (event !== 'Q') continue;
      member.killedAt = Math.min(member.killedAt, Number(time));
      injected += 1;
    }
    const { killedAt, kind } = member;
    const name = `${kind} ${at}`;
    /** @type {Map<string, { key: string; from: number }>} */ const asking = new Map();
    /** @type {Map<string, Hold>} */ const held = new Map();
    let done = false;
    for (const words of lines) {
      const [event, id = '', one = '', two = '', three = ''] = words;
      const who = `${at}#${id}`;
      const hold = held.get(id);
      if (event === 'W') asking.set(id, { key: one, from: Number(two) });
      if (event === 'A' || event === 'E') {
        const asked = asking.get(id);
        asking.delete(id);
        if (event === 'E') {
          told[two] = (told[two] ?? 0) + 1;
          texts[two] ??= words.slice(4).join(' ');
        }
        if (asked && kind === 'worker') waits.push({ who, member, ...asked, to: Number(one) });
        if (event === 'A' && asked) {
          const until = Math.min(Number(two), killedAt);
          const span = { asked: asked.from, from: Number(one), to: until, until };
          held.set(id, { who, key: asked.key, ...span, fence: Number(three), ours: kind === 'worker' });
        }
      }
      // A later word of the same hold; after its release there is none that counts.
      // With nothing left it is over by now, but it may have been over before.
      if (event === 'U' && hold)
        hold.to = Number(two) > Number(one) ? Math.min(Number(two), killedAt) : Math.min(hold.to, Number(one));
      if (event === 'R' && hold) {
        hold.to = Math.min(hold.to, Number(one));
        held.delete(id);
        holds.push(hold);
      }
      if (event === 'S') {
        const [from = 0, to = 0, fence = 0, accepted] = words.slice(3).map(Number);
        attempts.push({ who, key: one, from, to, fence, accepted: accepted === 1 });
      }
      if (event === 'Z') {
        member.stops.push([Number(id), Number(one)]);
        stalls.push([Number(id), Number(one)]);
        injected += 1;
      }
      if (event === 'F') injected += Number(id);
      if (event === 'M')
        doubts.push({
          key: id,
          from: Number(one),
          to: Number(two),
          allows: Number(two) - Number(one),
          what: 'in doubt',
        });
      if (event === 'L') wrong.push({ check: 'liveness', text: `${name}: ${words.slice(2).join(' ')}` });
      if (event === 'X') wrong.push({ check: 'errors', text: `${name}: ${words.slice(2).join(' ')}` });
      if (event === 'D') done = true;
    }
    member.stops.sort(([a], [b]) => a - b);
    holds.push(...held.values());
    for (const [id, { key, from }] of asking) {
      waits.push({ who: `${at}#${id}`, member, key, from, to: killedAt });
      if (killedAt === Infinity) wrong.push({ check: 'answers', text: `${name}: #${id} was never told about ${key}` });
    }
    if (!done && killedAt === Infinity) wrong.push({ check: 'ends', text: `${name} did not finish` });
  });
  return {
    holds: holds.filter((hold) => hold.to > hold.from).sort((a, b) => a.from - b.from),
    waits,
    doubts,
    stalls,
    attempts,
    wrong,
    told,
    texts,
    injected,
  };
}

/** @param {string} file */
function diary(file) {
  try {
    // What SIGKILL interrupts is a whole line or none.
    return readFileSync(file, 'utf8').split('\n').filter(Boolean);
  } catch {
    return [];
  }
}

/**
 * Two who believe at the same moment that a key is their own.
 * @param {readonly Hold[]} holds in the order of acquisition
 * @param {readonly Loss[]} losses
 * @param {number} ttl the longest one of the run
 */
export function overlaps(holds, losses, ttl) {
  const found = [];
  for (const list of byKey(holds).values()) {
    /** @type {Hold | undefined} */ let last;
    for (const hold of list) {
      if (last && hold.from < last.to && !excused(last, hold, losses, ttl))
        found.push({ first: last, second: hold, ms: Math.min(last.to, hold.to) - hold.from });
      if (!last || hold.to > last.to) last = hold;
    }
  }
  return found;
}

/**
 * A fence that is not higher than the one before it.
 * @param {readonly Hold[]} holds in the order of acquisition
 * @param {readonly Loss[]} losses
 * @param {number} ttl the longest one of the run
 */
export function inversions(holds, losses, ttl) {
  const found = [];
  for (const list of byKey(holds.filter((hold) => hold.ours)).values()) {
    for (let at = 1; at < list.length; at += 1) {
      const [first, second] = [/** @type {Hold} */ (list[at - 1]), /** @type {Hold} */ (list[at])];
      // Of two that overlap with an excuse, the earlier one may have been written down later; equal they never are.
      const unordered = second.fence < first.fence && excused(first, second, losses, ttl);
      if (second.fence <= first.fence && !unordered) found.push({ first, second });
    }
  }
  return found;
}

/** A hold goes from hand to hand inside a process for so many milliseconds without a question: who asks meanwhile may have a lost one. */
const COHORT = 10;

/**
 * Whether the first of two holds may have been forgotten by the server when the second began.
 * @param {Hold} first
 * @param {Hold} second
 * @param {readonly Loss[]} losses
 * @param {number} ttl
 */
function excused(first, second, losses, ttl) {
  return losses.some(
    ({ from, to, key = first.key }) =>
      key === first.key &&
      Math.min(first.asked, second.asked) < to + COHORT &&
      second.from >= from &&
      second.from < to + ttl,
  );
}

/**
 * What the register did and should not have done.
 * @param {readonly import('./register.js').Write[]} log in the order in which it decided
 * @param {readonly Attempt[]} attempts as the writers saw them
 * @param {readonly Hold[]} holds
 * @param {readonly Loss[]} losses
 * @param {number} ttl the longest one of the run
 */
export function misuses(log, attempts, holds, losses, ttl) {
  const found = [];
  const byWho = new Map(holds.map((hold) => [hold.who, hold]));
  /** @type {Map<string, { fence: number; hold: Hold | undefined; who: string }>} The last write that was accepted. */
  const last = new Map();
  for (const { key, fence, who, accepted } of log) {
    const before = last.get(key);
    const hold = byWho.get(who);
    if (accepted !== (!before || fence >= before.fence))
      found.push(
        `a write of ${who} with fence ${fence} was ${accepted ? 'accepted' : 'refused'} after ${before?.fence}`,
      );
    // By the clock, not by the fences: whoever had the key earlier must not write after one who had it later.
    else if (accepted && before?.hold && hold && before.hold.from > hold.from && fence <= before.fence)
      found.push(`a stale write of ${who}, held at ${hold.from.toFixed(1)}, was accepted after one of ${before.who}`);
    if (accepted) last.set(key, { fence, hold, who });
  }
  for (const { who, key, from, to, fence, accepted } of attempts) {
    const hold = byWho.get(who);
    if (accepted || !hold || from < hold.from || to > hold.to) continue;
    const forgotten = losses.some((loss) => (loss.key ?? key) === key && loss.from < to && from < loss.to + ttl);
    if (!forgotten) found.push(`${who} was refused with fence ${fence} while it held ${key}`);
  }
  return found;
}

/**
 * Times in which nobody had a key although somebody waited for it, longest first.
 * @param {readonly Hold[]} holds in the order of acquisition
 * @param {readonly Waiting[]} waits
 * @param {readonly Trouble[]} troubles
 * @param {number} ttl the longest one of the run
 * @param {number} end of the run
 */
export function gaps(holds, waits, troubles, ttl, end) {
  const found = [];
  const waiting = byKey(waits);
  const holding = byKey(holds);
  const start = waits.reduce((first, { from }) => Math.min(first, from), end);
  for (const [key, all] of waiting) {
    const list = holding.get(key) ?? [];
    let free = start;
    for (const hold of [...list, undefined]) {
      const from = free;
      const to = hold?.from ?? end;
      free = Math.max(free, hold?.to ?? 0);
      if (to - from < SHORTEST_GAP) continue;
      let longest = { from, to: from, who: '' };
      for (const wait of all) {
        for (const part of awake(wait, from, to))
          if (part.to - part.from > longest.to - longest.from) longest = { ...part, who: wait.who };
      }
      const ms = longest.to - longest.from;
      if (ms < SHORTEST_GAP) continue;
      // What went wrong before the key was free may show in it.
      const near = troubles.filter(
        (trouble) => (trouble.key ?? key) === key && trouble.from < longest.to && trouble.to > longest.from - ttl,
      );
      const allowed = near.reduce((sum, { allows }) => sum + allows, 0);
      found.push({ key, ...longest, ms, allowed, why: near.map(({ what }) => what) });
    }
  }
  return found.sort((a, b) => b.ms - a.ms);
}

/** The parts of a time in which a process waited and could have run. @param {Waiting} wait @param {number} from @param {number} to */
function* awake({ member, ...wait }, from, to) {
  let at = Math.max(from, wait.from);
  const end = Math.min(to, wait.to);
  for (const [stop, go] of [...member.stops, /** @type {[number, number]} */ ([end, end])]) {
    if (Math.min(stop, end) > at) yield { from: at, to: Math.min(stop, end) };
    at = Math.max(at, go + WAKING);
  }
}

/** @template {{ key: string }} T @param {readonly T[]} list @returns {Map<string, T[]>} */
function byKey(list) {
  /** @type {Map<string, T[]>} */ const map = new Map();
  for (const item of list) {
    const group = map.get(item.key);
    if (group) group.push(item);
    else map.set(item.key, [item]);
  }
  return map;
}
