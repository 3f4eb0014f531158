import { Words } from '../../../redis/command.js';
import type { Operation } from './operation.js';
import type { Letter } from './script.js';
import { lineOf } from './slots.js';

const NONE: readonly Operation[] = [];

/** The reply to each release of a run in which all went as usual. */
const RELEASED = 1;

/** Operations that need neither guard nor line: their own key stands in the place of both, where that matters. */
const OF_ONE_KEY: readonly Letter[] = ['L', 'X', 'P'];

/** Whether it is one of those. */
export function isBare({ letter }: Operation): boolean {
  return OF_ONE_KEY.includes(letter);
}

/** The connection that a run is sent on. */
export interface Carrier {
  readonly cluster: boolean;
  /** The channel that it hears; empty when it hears none. */
  readonly ownChannel: string;
  /** Counts the connections made. */
  readonly generation: number;
}

/** One run of the script: what it is given, and whose replies it gives back. */
export class Run {
  /** In the order in which the script answers: releases and tries of the usual kind, which it does together, then the others. */
  readonly operations: readonly Operation[];
  readonly #releases: number;
  /** What is held back. */
  readonly overtaken: readonly Operation[];
  readonly #words = new Words();

  /** Its first key: that of the fence guard, or one that stands in its place. */
  readonly guard: string;

  /**
   * @param guard the key of the fence guard
   * @param operations what is asked; each that somebody still wants counts as sent from now on
   * @param yields keys may be let be free for a moment
   */
  constructor(
    guard: string,
    operations: readonly Operation[],
    { cluster, ownChannel, generation }: Carrier,
    yields: boolean,
  ) {
    const releases: Operation[] = [];
    const tries: Operation[] = [];
    const others: Operation[] = [];
    let overtaken = NONE;
    const now = performance.now();
    for (const operation of operations) {
      if (operation.cancelled) continue;
      if (operation.isOvertaken?.()) {
        operation.forestalled = true;
        overtaken = [...overtaken, operation];
        continue;
      }
      operation.repeated = operation.sent !== 0;
      if (!operation.repeated) operation.generation = generation;
      operation.sent = now;
      // What is done together is done before the others.
      const isFree = operation.plain && (others.length === 0 || !others.some(({ key }) => key === operation.key));
      if (isFree && operation.letter === 'R') releases.push(operation);
      else if (isFree && operation.letter === 'T' && operation.ttl === (tries[0] ?? operation).ttl)
        tries.push(operation);
      else others.push(operation);
    }
    this.#releases = releases.length;
    this.overtaken = overtaken;
    this.operations = inOrder(releases, tries, others);
    // While a slot of a cluster moves, a run is refused whose keys are not all on one side.
    const isAlone = cluster && this.operations.length === 1 && isBare(this.operations[0]!);
    this.guard = isAlone ? this.operations[0]!.key : guard;
    const words = this.#words;
    words.addAscii(String(1 + 2 * releases.length + tries.length + 2 * others.length)).add(this.guard);
    for (const { key } of releases) words.add(key);
    for (const { key } of releases) words.add(lineOf(key, cluster));
    for (const { key } of tries) words.add(key);
    for (const { key } of others) words.add(key).add(isAlone ? key : lineOf(key, cluster));
    // Those of plain operations are random tokens alone.
    words.addAscii(valuesOf(releases) + valuesOf(tries)).addAscii(String(tries[0]?.ttl ?? ownChannel));
    if (this.operations.length > 1 || others.length > 0)
      words.addAscii(String(releases.length)).addAscii(String(tries.length));
    if (others.length > 0) this.#addOthers(others, yields);
  }

  /** Whether something of it should not be sent any more, or not behind what was sent since. */
  get isPast(): boolean {
    return this.operations.some((operation) => operation.isOver || operation.isOvertaken?.());
  }

  /**
   * The command in Redis' protocol.
   * @param script the words that say which script is run
   */
  written(script: Words): string {
    return script.with(this.#words);
  }

  /** What the script's reply says of the operation at that place. */
  replyTo(at: number, reply: unknown): unknown {
    if (typeof reply !== 'number') return (reply as readonly unknown[])[at];
    return at < this.#releases ? RELEASED : reply + at - this.#releases;
  }

  #addOthers(others: readonly Operation[], yields: boolean): void {
    let fences = 0;
    const texts: string[] = [];
    for (const operation of others) {
      fences += operation.fences;
      // One that may have been done before may stand in line already, as one that asks again does.
      texts.push(operation.letter === 'O' && operation.repeated ? 'K' : operation.letter, ...operation.texts);
    }
    this.#words.addAscii(String(fences)).add(JSON.stringify(texts));
    if (yields) this.#words.addAscii('1');
  }
}

/** One list of all: of releases or tries alone, as most are, no copy is made. */
function inOrder(releases: Operation[], tries: Operation[], others: Operation[]): readonly Operation[] {
  if (tries.length + others.length === 0) return releases;
  if (releases.length + others.length === 0) return tries;
  return releases.concat(tries, others);
}

function valuesOf(operations: readonly Operation[]): string {
  let values = '';
  for (const { value } of operations) values += value;
  return values;
}
