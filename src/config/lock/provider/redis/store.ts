import { setTimeout as sleep } from 'node:timers/promises';
import type { Milliseconds } from '../../../../duration.js';
import { ProviderError } from '../../errors.js';
import { randomText } from '../../random.js';
import type { Answer, Ask, Asker, Grant, Line, LockStore, Refusal } from '../store.js';
import { Batch, BATCH_CAP } from './batch.js';
import { Operation, Promised, Reading, type Receiver } from './operation.js';
import type { RedisClient } from './client.js';
import { Connection } from './connection.js';
import { FenceBlock, Visit } from './fences.js';
import { ForeignWatch } from './foreign.js';
import { Namesakes } from './namesakes.js';
import { Nudges } from './nudges.js';
import type { Letter } from './script.js';
import { Turns, type TurnsHost } from './turns.js';
import { Undoing } from './undo.js';
import { Wait, type RedisRefusal, type WaitHost } from './wait.js';

/** How a RedisStore behaves; all times in milliseconds. */
export interface RedisStoreOptions {
  /** Put before every key. */
  readonly prefix?: string;
  /** Within which an operation is answered or fails. */
  readonly limit?: Milliseconds;
  /** The first and the longest pause between two tries of a waiter that cannot be told. */
  readonly pollMin?: Milliseconds;
  readonly pollMax?: Milliseconds;
  /** How many operations may leave as one call. */
  readonly batchCap?: number;
  /** Whether a key that is always waited for is let be free now and then, for clients that stand in no line. */
  readonly yield?: boolean;
}

export const REDIS_DEFAULTS: Readonly<Required<RedisStoreOptions>> = {
  prefix: '',
  limit: 5_000,
  pollMin: 25,
  pollMax: 250,
  batchCap: BATCH_CAP,
  yield: false,
};

/** Drift of two clocks against each other: 2 ms, for the server counts whole milliseconds, and 0.1 % of the ttl. */
const DRIFT: Milliseconds = 2;
const DRIFT_RATE = 0.001;

/** A waiter in line asks again after this time at the latest: nothing depends on a message arriving. */
const SAFETY: Milliseconds = 1_000;
/** A holder that is none of ours tells nobody; it is looked after so often. */
const FOREIGN: Milliseconds = 100;

/**
 * For how long a hold goes from hand to hand inside this process before Redis is asked whether others wait: at 10 ms more
 * would gain little, and others wait no longer than that for each process before them.
 */
const COHORT: Milliseconds = 10;
/** A hold is handed on only if so much of the ttl is left that the next one asked for. */
const COHORT_LEFT = 0.8;

/**
 * Locks on Redis, for every process that shares it. The state of a lock is one string at exactly prefix + key: token, then
 * metadata, with a ttl in milliseconds, which is what Go's mcube v2 writes and reads. Who waits stands in a list beside it,
 * one entry for each process, and whoever releases hands the lock to the first entry whose process is alive.
 */
export class RedisStore implements LockStore, WaitHost, TurnsHost {
  readonly provider = 'redis';
  /** Below this nothing would be left of a lease once drift and the way there and back are taken off. */
  readonly shortestTtl = 10;
  readonly #connection: Connection;
  readonly #batch: Batch;
  readonly #options: Required<RedisStoreOptions>;
  readonly #prefix: string;
  readonly #turns = new Turns(this);
  readonly #block = new FenceBlock();
  readonly #undoing: Undoing;
  readonly #foreign: ForeignWatch;
  readonly #nudges: Nudges;
  readonly #namesakes = new Namesakes();

  constructor(client: RedisClient, options: RedisStoreOptions = {}) {
    this.#options = { ...REDIS_DEFAULTS, ...options };
    this.#connection = new Connection(client, this.#turns.channel, this.#turns);
    this.#prefix = this.#connection.keyPrefix + this.#options.prefix;
    const { limit, batchCap } = this.#options;
    this.#batch = new Batch(this.#connection, limit, batchCap, this.#options.yield);
    this.#undoing = new Undoing(this.#connection, this.#options.limit);
    this.#foreign = new ForeignWatch(client, limit);
    this.#nudges = new Nudges((key) =>
      this.#run('N', { key, plain: false }, '', NOTHING, (reply) => reply !== 0, true),
    );
  }

  deadline(sent: Milliseconds, ttl: Milliseconds): Milliseconds {
    return sent + ttl - DRIFT - ttl * DRIFT_RATE;
  }

  obtain(
    ask: Ask,
    now: Milliseconds,
    line?: Line,
    asker?: Asker<Grant | Refusal>,
  ): Promise<Grant | Refusal> | undefined {
    const wait = this.#begin(ask, line);
    const promised = asker ? undefined : new Promised<Grant | Refusal>();
    wait.asker = asker ?? promised;
    this.#question(wait, now);
    return promised?.promise;
  }

  refresh(ask: Ask, ttl: Milliseconds, limit?: Milliseconds): Promise<Milliseconds | undefined> {
    const sent = performance.now();
    const promised = new Promised<Milliseconds | undefined>();
    const reading = new Reading(promised, (reply) => (reply === 1 ? this.deadline(sent, ttl) : undefined));
    const letter = limit === undefined ? 'X' : 'L';
    const operation = new Operation(
      letter,
      this.#prefix + ask.key,
      ask.value,
      ask.plain,
      ttl,
      NOTHING,
      0,
      false,
      reading,
    );
    this.#namesakes.add(waitOf(ask), operation);
    if (limit === undefined) this.#batch.add(operation);
    else this.#batch.renew(operation, limit);
    return promised.promise;
  }

  release(ask: Ask, followed = false, asker?: Asker<boolean>): Answer<boolean> | undefined {
    const wait = waitOf(ask);
    if (wait && this.#namesakes.isOver(wait)) return true;
    const visit = wait?.visit;
    if (visit) {
      visit.holder = undefined;
      this.#block.learn(visit);
    }
    const promised = asker ? undefined : new Promised<boolean>();
    this.#release(ask, followed, asker ?? promised!);
    return promised?.promise;
  }

  left(ask: Ask): Promise<Milliseconds> {
    return this.#run('P', ask, ask.value, NOTHING, timeLeft);
  }

  pass(from: Ask, to: Ask, now: Milliseconds): Grant | undefined {
    const visit = waitOf(from)?.visit;
    const left = from.until - now;
    if (!visit || now - visit.at > COHORT) return undefined;
    if (!from.plain || !to.plain || left < to.ttl * COHORT_LEFT || left > to.ttl || to.memo) return undefined;
    const fence = visit.next();
    if (fence === undefined) return undefined;
    const wait = new Wait(to, undefined, this);
    wait.visit = visit;
    wait.astray = waitOf(from)!.astray;
    visit.holder = to;
    to.memo = wait;
    return { granted: true, fence, until: from.until };
  }

  abandon(ask: Ask): void {
    const wait = waitOf(ask);
    if (!wait || wait.over) return;
    wait.over = true;
    this.#leave(wait);
    this.#namesakes.leaves(wait);
    const unsent = wait.question?.sent === 0;
    wait.unask();
    // Refused, and in no line: there is nothing to undo.
    if (wait.wid === '' && !wait.visit && (unsent || wait.isAnswered) && !this.#isAstray(wait)) return;
    this.#undo(wait);
  }

  pause(refusal: RedisRefusal, attempt: number): Milliseconds {
    const { pollMin, pollMax } = this.#options;
    const poll = Math.min(pollMax, pollMin * 2 ** Math.min(attempt - 1, 20));
    const { listening, unheard, left } = refusal;
    // By chance, so that waiters of many processes do not ask in step; and soon after the end of the other hold.
    const chance = Math.random();
    const most = listening && !unheard ? SAFETY * (1 - chance / 4) : (listening ? FOREIGN : poll) * (0.75 + chance / 2);
    return Math.min(left + 1 + 2 * Math.random(), most);
  }

  flush(): void {
    this.#batch.flush();
  }

  async close(limit: Milliseconds): Promise<void> {
    for (const wait of this.#turns.waits) this.abandon(wait.ask);
    this.#foreign.close();
    const end = performance.now() + limit;
    const left = (): Milliseconds => Math.max(0, end - performance.now());
    await this.#nudges.close(left());
    await this.#undoing.close(left());
    // A release that was asked for before is on its way.
    await this.#batch.idle(left());
    this.#batch.close();
  }

  trouble(ask: Ask): Error | undefined {
    return waitOf(ask)?.question?.flight?.why ?? this.#connection.trouble;
  }

  /** The reply to a release: whether the key was held. */
  released(ask: Ask, reply: unknown, { repeated, forestalled }: Operation): boolean {
    // Who follows may give up before he asks again.
    if (reply === 3) this.#nudges.start(ask.key);
    // Behind the release, a question that is still on its way would take the key for nobody.
    const wait = waitOf(ask);
    if (wait && this.#isAstray(wait)) this.#undo(wait);
    // A "not yours" to what was sent again means that the first one had arrived.
    return reply !== 0 || repeated || forestalled;
  }

  /** The reply to a question of a wait. */
  replied(wait: Wait, reply: unknown, operation: Operation, now?: Milliseconds): void {
    wait.heardOf(operation);
    const refused = Array.isArray(reply);
    if (refused || !wait.asked) contend(wait.ask, refused);
    wait.asked = true;
    if (refused) {
      this.#refused(wait, operation, reply as unknown as Status)
        .then((refusal) => this.#stay(wait, refusal))
        .catch((error: unknown) => wait.failed(error));
      return;
    }
    const until = this.deadline(wait.sent, wait.ask.ttl);
    wait.tell(this.#visited(wait, wait.sent, reply as number, operation.fences, until), now);
  }

  kick(wait: Wait, receiver: Receiver): Operation {
    const { ask, block, entry } = wait;
    return this.#send('K', ask, ask.value, ask.ttl, [String(block), entry], receiver, block);
  }

  given(wait: Wait, at: Milliseconds, told: number, until: Milliseconds): void {
    const { line } = wait;
    const grant = this.#visited(wait, at, told, wait.block, until);
    line?.grant(grant);
  }

  late(wait: Wait): void {
    // Under a token of the application's own the next wait of this process may have it now: it asks.
    this.#namesakes.later(wait)?.line?.ask();
    this.#undo(wait);
  }

  #undo(wait: Wait): void {
    const { ask, value, entry } = wait;
    const attempt = (spared: boolean): Promise<unknown> | undefined => {
      // Who has asked since under the same token of the application's own decides what becomes of the hold; the entry is no use to him.
      const isOthers = spared || this.#namesakes.isOthers(wait, value);
      if (isOthers && entry === '') return undefined;
      const promised = new Promised<unknown>();
      const whose = isOthers ? randomText(22) : value;
      const reading = new Reading(promised, (reply) => {
        if (reply !== 0 && !ask.random) this.#namesakes.ended(ask.key, whose);
        return reply;
      });
      this.#namesakes.add(wait, this.#send('C', ask, whose, undefined, [entry], reading, 0, true));
      return promised.promise;
    };
    this.#undoing.start(wait, ask, value, this.#isAstray(wait), attempt);
  }

  /** Who was abandoned because his grant came too late, and still wants the key, begins anew. */
  #begin(ask: Ask, line: Line | undefined): Wait {
    const before = waitOf(ask);
    if (before && !before.over) return before;
    const wait = new Wait(ask, line, this);
    ask.memo = wait;
    return wait;
  }

  #question(wait: Wait, now: Milliseconds): void {
    const { ask } = wait;
    const { listening } = this.#connection;
    const fences = wait.line?.followed ? this.#block.size : 1;
    if (listening && wait.line && (wait.asked || isContended(ask))) this.#turns.enter(wait, this.#block.size);
    const entry = listening ? wait.entry : '';
    if (wait.listening) this.#connection.checkHearing();
    const lone = !wait.asked && entry === '' && fences === 1 && !(wait.line && this.#options.yield);
    const operation = lone
      ? this.#send('T', ask, ask.value, ask.ttl, NOTHING, wait, 1)
      : this.#send(wait.asked ? 'K' : 'O', ask, ask.value, ask.ttl, [String(fences), entry], wait, fences);
    wait.asks(entry !== '', operation, now);
    this.#namesakes.asks(wait);
  }

  async #stay(wait: Wait, refusal: RedisRefusal): Promise<void> {
    // Meanwhile it may be given up, or be given the key by a message.
    const isOpen = (): boolean => !wait.over && !wait.visit;
    if (wait.line && !refusal.listening && !wait.outside && isOpen()) {
      // The first of ours to wait: from now on we hear, and stand in line.
      this.#turns.enter(wait, this.#block.size);
      if ((await this.#connection.listen()) && isOpen()) return this.#question(wait, performance.now());
    }
    wait.tell(refusal);
  }

  async #refused(
    wait: Wait,
    operation: Operation,
    [left, foreign, time, outside]: Partial<Status>,
  ): Promise<RedisRefusal> {
    if (left === undefined || time === undefined)
      throw new ProviderError('lock: redis gave a reply that is not of our script');
    wait.line?.refused();
    this.#supersede(wait);
    // It may not ask again, and tells nobody then; if it does, it is back.
    if (!wait.line) this.#namesakes.leaves(wait);
    // Nobody may be there to undo it later.
    if (!wait.line && this.#isAstray(wait)) this.#undo(wait);
    wait.sample = { sent: operation.sent, server: time / 1_000, generation: this.#connection.generation };
    wait.outside = outside !== undefined;
    if (outside !== undefined) this.#connection.cannotWait(outside);
    wait.listening = wait.stands && !wait.outside && this.#connection.listening;
    const refusal = {
      granted: false,
      asked: operation.sent,
      left: orForever(left),
      listening: wait.listening,
    } as const;
    return foreign === 1 && wait.listening ? this.#watch(wait, refusal) : { ...refusal, unheard: false };
  }

  /** A holder that is none of ours tells nobody when it releases; Redis may. */
  async #watch(wait: Wait, refusal: Omit<RedisRefusal, 'unheard'>): Promise<RedisRefusal> {
    const key = this.#prefix + wait.ask.key;
    let free = false;
    const told = (): void => {
      free = true;
      wait.line?.ask();
    };
    wait.watching = told;
    const watching = this.#foreign.watch(key, told);
    // Its connections keep no process alive and may be slow: this timer does, and ends it.
    const over = new AbortController();
    const late = sleep(FOREIGN, false, { signal: over.signal });
    const watched = await Promise.race([watching, late]).finally(() => over.abort());
    if (wait.over || wait.visit) this.#foreign.unwatch(key, told);
    return { ...refusal, left: free ? 0 : refusal.left, unheard: !watched };
  }

  /** The key is ours: nothing is waited for any more, and hand-overs of this process may take the other fences. */
  #visited(wait: Wait, at: Milliseconds, told: number, asked: number, until: Milliseconds): Grant {
    this.#leave(wait);
    this.#nudges.stop(wait.ask.key);
    const visit = (wait.visit = new Visit(at, told, asked, wait.ask));
    this.#supersede(wait);
    wait.unask();
    return { granted: true, fence: visit.first, until };
  }

  /** The server has told who has the key: of earlier holds under the same token of the application's own nothing is left. */
  #supersede(wait: Wait): void {
    const { ask, value } = wait;
    if (ask.random) return;
    this.#namesakes.answered(wait);
    this.#undoing.spare(ask.key, value);
  }

  #leave(wait: Wait): void {
    if (wait.watching) this.#foreign.unwatch(this.#prefix + wait.ask.key, wait.watching);
    this.#turns.leave(wait);
    wait.line = undefined;
  }

  /** With `yield` it may let the key be free for a moment: unless who asks behind it has it by then, we have it handed on. */
  #release(ask: Ask, followed: boolean, asker: Asker<boolean>): void {
    const { yield: yields } = this.#options;
    const more = yields ? [followed ? '1' : ''] : NOTHING;
    const releasing = new Releasing(this, ask, asker);
    this.#namesakes.add(waitOf(ask), this.#send(yields ? 'Y' : 'R', ask, ask.value, undefined, more, releasing, 0));
  }

  /** Whether a question of it may still be on its way on an earlier connection. Under a token of one's own that is not looked after. */
  #isAstray({ ask, astray }: Wait): boolean {
    return ask.random && astray < this.#connection.generation;
  }

  #run<T>(
    letter: Letter,
    ask: Pick<Ask, 'key' | 'plain'>,
    value: string,
    more: readonly string[],
    read: (reply: unknown, operation: Operation) => T,
    errand = false,
  ): Promise<T> {
    const promised = new Promised<T>();
    this.#send(letter, ask, value, undefined, more, new Reading(promised, read), 0, errand);
    return promised.promise;
  }

  #send(
    letter: Letter,
    { key, plain }: Pick<Ask, 'key' | 'plain'>,
    value: string,
    ttl: Milliseconds | undefined,
    more: readonly string[],
    receiver: Receiver,
    fences: number,
    errand = false,
  ): Operation {
    const operation = new Operation(letter, this.#prefix + key, value, plain, ttl, more, fences, errand, receiver);
    this.#batch.add(operation);
    return operation;
  }
}

/** Of releases there are as many as of anything else: each takes this, and no function of its own. */
class Releasing implements Receiver {
  constructor(
    private readonly store: RedisStore,
    private readonly ask: Ask,
    private readonly asker: Asker<boolean>,
  ) {}

  answered(reply: unknown, operation: Operation): void {
    this.asker.answered(this.store.released(this.ask, reply, operation));
  }

  failed(error: Error): void {
    this.asker.failed(error);
  }
}

/** The reply to a question for what another has; why it cannot stand in line, if it asked to and that is so. */
type Status = readonly [left: Milliseconds, foreign: number, time: number, outside?: string];

/** What an operation takes that takes no more. */
const NOTHING: readonly string[] = [];

function waitOf(ask: Ask): Wait | undefined {
  return ask.memo as Wait | undefined;
}

/**
 * Whether another had the key when it was last asked for: then who waits stands in line with the first question, which saves a
 * way there and back. Else a try is enough, which costs both sides much less.
 */
function isContended({ place }: Ask): boolean {
  return place?.memo === CONTENDED;
}

function contend({ place }: Ask, contended: boolean): void {
  if (place) place.memo = contended ? CONTENDED : undefined;
}

const CONTENDED = 'contended';

const timeLeft = (reply: unknown): Milliseconds => (reply === -3 ? 0 : orForever(reply as number));

/** Redis says -1 for a key that never expires. */
function orForever(pttl: number): Milliseconds {
  return pttl === -1 ? Infinity : Math.max(0, pttl);
}
