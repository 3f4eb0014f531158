// @ts-check
import { readFileSync } from 'node:fs';

/**
 * @typedef {object} Member a process of a run
 * @property {string} file its diary
 * @property {'worker' | 'go'} kind
 * @property {number} killedAt Infinity unless it was killed
 * @property {[from: number, to: number][]} stops when it stood still
 *
 * @typedef {object} Hold what its holder believes: the key is its own from `from` to `to`
 * @property {string} who
 * @property {string} key
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
 * @property {number} costs how often the ttl it may cost; 0: as long as it lasts
 * @property {string} what
 * @property {string} [key] the one that it concerns; all of them if left out
 */

/**
 * What happened, from the diaries of all processes.
 * @param {readonly Member[]} members
 */
export function read(members) {
  /** @type {Hold[]} */ const holds = [];
  /** @type {Waiting[]} */ const waits = [];
  /** @type {Trouble[]} */ const doubts = [];
  /** @type {string[]} */ const wrong = [];
  /** @type {Record<string, number>} */ const told = {};
  members.forEach((member, at) => {
    const { killedAt } = member;
    /** @type {Map<string, { key: string; from: number }>} */ const asking = new Map();
    /** @type {Map<string, Hold>} */ const held = new Map();
    let done = false;
    for (const line of diary(member.file)) {
      const [event, id = '', one = '', two = '', three = ''] = line.split(' ');
      const who = `${member.kind} ${at} #${id}`;
      const hold = held.get(id);
      if (event === 'W') asking.set(id, { key: one, from: Number(two) });
      if (event === 'A' || event === 'E') {
        const asked = asking.get(id);
        asking.delete(id);
        if (event === 'E') told[two] = (told[two] ?? 0) + 1;
        if (asked && member.kind === 'worker') waits.push({ who, member, ...asked, to: Number(one) });
        if (event === 'A' && asked) {
          const until = Math.min(Number(two), killedAt);
          const fence = Number(three);
          const ours = member.kind === 'worker';
          held.set(id, { who, key: asked.key, from: Number(one), to: until, until, fence, ours });
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
      if (event === 'M') doubts.push({ key: id, from: Number(one), to: Number(two), costs: 0, what: 'go in doubt' });
      if (event === 'X') wrong.push(`${member.kind} ${at}: ${line}`);
      if (event === 'D') done = true;
    }
    holds.push(...held.values());
    for (const [id, { key, from }] of asking) {
      waits.push({ who: `${member.kind} ${at} #${id}`, member, key, from, to: Math.min(killedAt, Infinity) });
      if (killedAt === Infinity) wrong.push(`${member.kind} ${at}: #${id} was never told about ${key}`);
    }
    if (!done && killedAt === Infinity) wrong.push(`${member.kind} ${at}: did not finish`);
  });
  return {
    holds: holds.filter((hold) => hold.to > hold.from).sort((a, b) => a.from - b.from),
    waits,
    doubts,
    wrong,
    told,
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
 * @param {readonly number[]} restarts when Redis lost all it had: what was held then is excused
 */
export function overlaps(holds, restarts) {
  const found = [];
  for (const list of byKey(holds).values()) {
    /** @type {Hold | undefined} */ let last;
    for (const hold of list) {
      const before = last;
      const excused = restarts.some((at) => before && before.from < at && at < hold.from + 1);
      if (before && hold.from < before.to && !excused)
        found.push({ first: before, second: hold, ms: Math.min(before.to, hold.to) - hold.from });
      if (!last || hold.to > last.to) last = hold;
    }
  }
  return found;
}

/** A fence that is not higher than the one before it. @param {readonly Hold[]} holds in the order of acquisition */
export function inversions(holds) {
  const found = [];
  for (const list of byKey(holds.filter((hold) => hold.ours)).values()) {
    for (let at = 1; at < list.length; at += 1) {
      const [first, second] = [/** @type {Hold} */ (list[at - 1]), /** @type {Hold} */ (list[at])];
      if (second.fence <= first.fence) found.push({ first, second });
    }
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
  for (const [key, list] of byKey(holds)) {
    let free = list[0]?.to ?? end;
    for (const hold of [...list.slice(1), undefined]) {
      const from = free;
      const to = hold?.from ?? end;
      free = Math.max(free, hold?.to ?? 0);
      if (to - from < 50) continue;
      let longest = { from, to: from, who: '' };
      for (const wait of waiting.get(key) ?? []) {
        for (const part of awake(wait, from, to))
          if (part.to - part.from > longest.to - longest.from) longest = { ...part, who: wait.who };
      }
      const ms = longest.to - longest.from;
      if (ms < 50) continue;
      // What went wrong before the key was free may show in it.
      const near = troubles.filter(
        (trouble) => (trouble.key ?? key) === key && trouble.from < longest.to && trouble.to > longest.from - ttl,
      );
      const allowed = near.reduce((sum, { from, to, costs }) => sum + (costs > 0 ? costs * ttl : to - from), 0);
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
    // What it finds when it wakes up takes it a moment.
    at = Math.max(at, go + 100);
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
