import type { Call } from './call.js';
import { lineOf } from './slots.js';

/** The reply to each release of a run in which all went as usual. */
const RELEASED = 1;

/** One run of the script: what it is given, and whose replies it gives back. */
export class Run {
  /** In the order in which the script answers: releases and tries of the usual kind, which it does together, then the others. */
  readonly calls: readonly Call[];
  readonly keys: string[];
  readonly args: string[];
  readonly #releases: number;

  /**
   * @param guard the key of the fence guard
   * @param calls what is asked; each counts as sent from now on
   * @param yields keys may be let be free for a moment
   */
  constructor(guard: string, calls: readonly Call[], cluster: boolean, yields: boolean) {
    const releases: Call[] = [];
    const tries: Call[] = [];
    const others: Call[] = [];
    const now = performance.now();
    for (const call of calls) {
      call.repeated = call.sent !== 0;
      call.sent = now;
      // What is done together is done before the others.
      const isFree = call.plain && !others.some(({ key }) => key === call.key);
      if (isFree && call.op === 'R') releases.push(call);
      else if (isFree && call.op === 'T' && call.ttl === (tries[0] ?? call).ttl) tries.push(call);
      else others.push(call);
    }
    const keys = [guard];
    let values = '';
    for (const { key, value } of releases) {
      keys.push(key);
      values += value;
    }
    for (const { key } of releases) keys.push(lineOf(key, cluster));
    for (const { key, value } of tries) {
      keys.push(key);
      values += value;
    }
    for (const { key } of others) keys.push(key, lineOf(key, cluster));
    this.keys = keys;
    this.args = [String(releases.length), String(tries.length), String(tries[0]?.ttl ?? ''), values];
    if (others.length > 0) this.args.push(...argumentsOf(others, yields));
    this.#releases = releases.length;
    this.calls = inOrder(releases, tries, others);
  }

  /** The command in Redis' protocol: the number of its words, then each behind its length in bytes. */
  written(name: string, script: string): string {
    const { keys, args } = this;
    const lines = [`*${3 + keys.length + args.length}`];
    write(lines, name);
    write(lines, script);
    write(lines, String(keys.length));
    for (const key of keys) write(lines, key);
    for (const arg of args) write(lines, arg);
    lines.push('');
    return lines.join('\r\n');
  }

  /** What the script's reply says of the call at that place. */
  replyTo(at: number, reply: unknown): unknown {
    if (typeof reply !== 'number') return (reply as readonly unknown[])[at];
    return at < this.#releases ? RELEASED : reply + at - this.#releases;
  }
}

function write(lines: string[], word: string): void {
  const length = Buffer.byteLength(word);
  lines.push(LENGTHS[length] ?? `$${length}`, word);
}

/** Of most words. */
const LENGTHS = Array.from({ length: 128 }, (_, length) => `$${length}`);

/** One list of several, most of which are empty as a rule. */
function inOrder(...lists: Call[][]): readonly Call[] {
  const some = lists.filter(({ length }) => length > 0);
  return some.length === 1 ? some[0]! : some.flat();
}

function argumentsOf(others: readonly Call[], yields: boolean): string[] {
  let fences = 0;
  const texts: string[] = [];
  for (const call of others) {
    fences += call.fences;
    // One that may have been done before may stand in line already, as one that asks again does.
    texts.push(call.op === 'O' && call.repeated ? 'K' : call.op, ...call.texts);
  }
  const args = [String(fences), JSON.stringify(texts)];
  if (yields) args.push('1');
  return args;
}
