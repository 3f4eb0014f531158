import type { Redis } from 'ioredis';
import type { Milliseconds } from '../../../../duration.js';
import { inTime } from './at_most.js';
import { answers, disconnect, plain, SILENCE } from './client.js';
import { isReplyError } from './reply_error.js';

/**
 * Hears one channel on every master: a script's PUBLISH counts the listeners on its own server alone. In RESP3 on the
 * connection of the commands itself, so that a message comes before the reply of the script that caused it; in RESP2 a
 * connection that listens can do nothing else, so that each gets a second one beside it.
 */
export class Ears {
  /** The connections that hear, or will if it is soon enough to be waited for; by the connection of the commands. */
  readonly #ears = new Map<Redis, Promise<Redis>>();
  /** Those of them that are second connections. */
  readonly #seconds = new Set<Redis>();
  /** Those of them that were asked for a sign of life. */
  readonly #checked = new WeakSet<Redis>();
  #lastCheck: Milliseconds = -Infinity;

  /** @param lost the server behind a connection is heard no more */
  constructor(
    private readonly channel: string,
    private readonly heard: (text: string) => void,
    private readonly lost: () => void,
  ) {}

  /** Whether any server is, or will be, heard. */
  get any(): boolean {
    return this.#ears.size > 0;
  }

  /** Whether the connections of the commands are all that hear. */
  get alone(): boolean {
    return this.#seconds.size === 0;
  }

  /** Whether all of these are heard, or will be. */
  hears(nodes: readonly Redis[]): boolean {
    return nodes.every((node) => this.#ears.has(node));
  }

  /**
   * Hears these servers, too; those that cannot be reached, or are silent, are left out, and may be heard later.
   * @returns whether there is a new one
   * @throws ReplyError when it is refused; any error when none is heard
   */
  async add(nodes: readonly Redis[]): Promise<boolean> {
    const added = nodes.filter((node) => !this.#ears.has(node));
    for (const node of added) this.#ears.set(node, this.#soon(node));
    const outcomes = await Promise.allSettled(nodes.map((node) => this.#ears.get(node)!));
    const reasons = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
    const refusal = reasons.find(isReplyError) ?? (reasons.length === nodes.length ? reasons[0] : undefined);
    if (refusal) throw refusal;
    return added.some((node) => this.#ears.has(node));
  }

  /**
   * Sees to it that second connections are heard on which nothing comes any more, though nobody has told them.
   * @returns whether it has; more often than every half second it does not
   */
  check(): boolean {
    const now = performance.now();
    if (now - this.#lastCheck < SILENCE / 2) return false;
    this.#lastCheck = now;
    for (const ear of this.#seconds) {
      if (ear.status !== 'ready' || this.#checked.has(ear)) continue;
      this.#checked.add(ear);
      inTime(SILENCE, answers(ear)).then(
        () => this.#checked.delete(ear),
        () => disconnect(ear),
      );
    }
    return true;
  }

  close(): void {
    this.#ears.clear();
    for (const ear of this.#seconds) disconnect(ear);
    this.#seconds.clear();
  }

  /** One that says nothing keeps nobody waiting who wants to hear the others. */
  async #soon(node: Redis): Promise<Redis> {
    const opened = this.#open(node);
    try {
      return await inTime(SILENCE, opened);
    } catch (error) {
      opened.then(
        () => this.#ears.set(node, opened),
        () => undefined,
      );
      throw error;
    }
  }

  async #open(node: Redis): Promise<Redis> {
    let ear: Redis | undefined;
    const heard = (channel: string, text: string): void => {
      if (channel === this.channel) this.heard(text);
    };
    const ended = (): void => this.#forget(node);
    try {
      await ready(node);
      ear = speaksResp3(node) ? node : await this.#second(node);
      ear.on('message', heard);
      ear.once('end', ended);
      const subscribed = ear.subscribe(this.channel);
      if (ear !== node) await subscribed;
      // Whoever may not publish could not tell the others either; and the second connection may be to another server.
      const [, told] = await Promise.all([subscribed, node.publish(this.channel, '')]);
      if (told === 0) throw new Error('a message to ourselves did not reach us');
      return ear;
    } catch (error) {
      this.#ears.delete(node);
      // It is tried again: nothing of this try may stay.
      ear?.off('message', heard).off('end', ended);
      if (ear && ear !== node) disconnect(ear);
      throw plain(error);
    }
  }

  async #second(node: Redis): Promise<Redis> {
    const ear = node.duplicate({ protocol: 2 });
    this.#seconds.add(ear);
    ear.on('error', () => undefined);
    ear.once('end', () => this.#seconds.delete(ear));
    const connecting = ear.connect();
    // By then there is a socket. It keeps no process alive: who waits has others for that.
    setImmediate(() => ear.stream?.unref());
    try {
      await connecting;
    } catch (error) {
      disconnect(ear);
      throw error;
    }
    ear.stream.unref();
    return ear;
  }

  #forget(node: Redis): void {
    if (this.#ears.delete(node)) this.lost();
  }
}

/** A connection of a cluster's pool connects when it is needed. */
function ready(node: Redis): Promise<void> {
  if (node.status === 'ready') return Promise.resolve();
  if (node.status === 'wait') return node.connect();
  return new Promise((resolve, reject) => {
    node.once('ready', () => resolve());
    node.once('end', () => reject(new Error('the connection was closed')));
  });
}

/** Whether the handshake agreed on RESP3; ioredis falls back to RESP2 where the server knows no other. */
function speaksResp3(node: Redis): boolean {
  return (node as unknown as { condition?: { protocol?: number } }).condition?.protocol === 3;
}
