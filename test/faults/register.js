// @ts-check
// The storage behind a lock: one value for each key, written with the fence of the writer. It refuses a fence that is lower
// than the last one, and logs every attempt in the order in which it decided.
import { Redis } from 'ioredis';

/**
 * @typedef {object} Write an attempt, as the register saw it
 * @property {string} key
 * @property {number} fence
 * @property {string} who the hold, `process#id`
 * @property {boolean} accepted
 */

// KEYS 1: a hash, 2: the log   ARGV 1: the fence, 2: who writes, 3: 0 when every writer is let in   reply: 1 or 0
const WRITE = `
local last = tonumber(redis.call('HGET', KEYS[1], 'fence') or 0)
local accepted = (tonumber(ARGV[1]) >= last or ARGV[3] == '0') and 1 or 0
if accepted == 1 then redis.call('HSET', KEYS[1], 'value', ARGV[2], 'fence', ARGV[1]) end
redis.call('RPUSH', KEYS[2], KEYS[1] .. ' ' .. ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. accepted)
return accepted`;

/** One for all processes: a hash for each key, on a Redis of its own that nothing happens to. */
export class SharedRegister {
  #client;
  #name;
  #lets;

  /**
   * @param {number} port
   * @param {string} name tells the registers of one server apart
   * @param {boolean} [refuses] whether stale writers are refused, as they should be
   */
  constructor(port, name, refuses = true) {
    this.#client = new Redis(port, { lazyConnect: true });
    this.#name = name;
    this.#lets = refuses ? 1 : 0;
  }

  /** @param {string} key @param {number} fence @param {string} who @returns {Promise<boolean>} whether it was accepted */
  async write(key, fence, who) {
    return (await this.#client.eval(WRITE, 2, `${this.#name}:${key}`, this.#log, fence, who, this.#lets)) === 1;
  }

  /** Everything that was tried. @returns {Promise<Write[]>} */
  async log() {
    const lines = await this.#client.lrange(this.#log, 0, -1);
    return lines.map((line) => {
      const [key = '', fence, who = '', accepted] = line.split(' ');
      return { key: key.slice(this.#name.length + 1), fence: Number(fence), who, accepted: accepted === '1' };
    });
  }

  close() {
    this.#client.disconnect();
  }

  get #log() {
    return `${this.#name} log`;
  }
}

/** One of a process alone, for locks in memory; its log is the diary of the process. */
export class OwnRegister {
  /** @type {Map<string, number>} */ #last = new Map();

  /** @param {boolean} [refuses] */
  constructor(refuses = true) {
    this.refuses = refuses;
  }

  /** @param {string} key @param {number} fence @returns {Promise<boolean>} */
  async write(key, fence) {
    if (this.refuses && fence < (this.#last.get(key) ?? 0)) return false;
    this.#last.set(key, fence);
    return true;
  }

  close() {}
}
