import { EventEmitter } from 'node:events';
import type { RedisClient } from '../../src/config/lock/provider/redis/client.js';

/** One operation as it reached the server. */
export interface Asked {
  readonly command: 'evalsha' | 'eval';
  readonly op: string;
  readonly key: string;
  /** As the script's text tells them. */
  readonly args: readonly string[];
}

/** How many arguments each operation takes. */
const ARGUMENTS: Readonly<Record<string, number>> = { T: 2, O: 4, K: 4, R: 1, C: 2, X: 2, P: 1, Y: 2, N: 0 };

/**
 * An ioredis client whose server is the test: it sees what is asked and gives each reply. Of its copies those that speak
 * RESP3, as the connection of the locks does, work at once; the others never connect.
 */
export class ScriptedRedis extends EventEmitter {
  readonly isCluster = false;
  readonly options = { keyPrefix: '' };
  readonly stream = { ref: () => undefined, unref: () => undefined, destroy: () => undefined };
  readonly condition = { protocol: 3 };
  status = 'wait';
  /** All copies that were made, in their order. */
  readonly copies: ScriptedRedis[] = [];
  /** What reached the server on any copy. */
  readonly asked: Asked[];

  /** @param answer the reply to an operation; an error is the failure of the whole command */
  constructor(
    private readonly answer: (asked: Asked) => unknown,
    asked: Asked[] = [],
    private readonly works = true,
  ) {
    super();
    this.asked = asked;
  }

  /** As what it stands for. */
  get client(): RedisClient {
    return this as unknown as RedisClient;
  }

  duplicate({ protocol }: { protocol?: number }): ScriptedRedis {
    const copy = new ScriptedRedis(this.answer, this.asked, protocol === 3);
    this.copies.push(copy);
    return copy;
  }

  connect(): Promise<void> {
    if (!this.works) return new Promise(() => undefined);
    this.status = 'ready';
    return Promise.resolve();
  }

  disconnect(): void {
    if (this.status === 'end') return;
    this.status = 'end';
    this.emit('end');
  }

  subscribe(channel: string): Promise<number> {
    this.channel = channel;
    return Promise.resolve(1);
  }

  publish(): Promise<number> {
    return Promise.resolve(1);
  }

  /** The channel on which the process hears. */
  channel = '';

  /** As if somebody had published there. */
  tell(text: string): void {
    this.emit('message', this.channel, text);
  }

  evalsha(args: readonly (string | number)[]): Promise<unknown> {
    return this.#run('evalsha', args);
  }

  eval(args: readonly (string | number)[]): Promise<unknown> {
    return this.#run('eval', args);
  }

  async #run(command: 'evalsha' | 'eval', [, count, ...rest]: readonly (string | number)[]): Promise<unknown> {
    const keys = rest.slice(1, Number(count)) as string[];
    const args = rest.slice(Number(count)) as string[];
    const isOne = args[0]! in ARGUMENTS;
    const texts = isOne ? args : (JSON.parse(args[1]!) as string[]);
    const operations: Asked[] = [];
    for (let at = 0, place = 0; at < texts.length;) {
      const op = texts[at]!;
      const taken = ARGUMENTS[op]!;
      operations.push({ command, op, key: keys[place]!, args: texts.slice(at + 1, at + 1 + taken) });
      at += 1 + taken;
      place += op === 'T' ? 1 : 2;
    }
    this.asked.push(...operations);
    const replies = await Promise.all(
      operations.map(async (operation) => {
        const reply = await this.answer(operation);
        if (reply instanceof Error) throw reply;
        return reply;
      }),
    );
    return isOne ? replies[0] : replies;
  }
}

/** An error that the server itself answered with. */
export function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}
