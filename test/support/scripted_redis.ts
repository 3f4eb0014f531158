import { EventEmitter } from 'node:events';
import type { WrittenCommand } from '../../src/config/redis/command.js';
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
const ARGUMENTS: Readonly<Record<string, number>> = { T: 2, O: 4, K: 4, R: 1, C: 2, X: 2, L: 2, P: 1, Y: 2, N: 1 };

/** What a server of the test does with what is no script, unless a test changes it. */
class Besides {
  subscribe = (): Promise<unknown> => Promise.resolve(1);
  publish = (): Promise<number> => Promise.resolve(1);
  ping = (): Promise<unknown> => Promise.resolve('PONG');
}

/**
 * An ioredis client whose server is the test: it sees what is asked and gives each reply. Of its copies those that speak
 * RESP3, as the connection of the locks does, work at once; the others never connect. With `resp2` all of them work, and speak RESP2.
 */
export class ScriptedRedis extends EventEmitter {
  readonly isCluster = false;
  readonly options = { keyPrefix: '' };
  readonly stream = { ref: () => undefined, unref: () => undefined, destroy: () => undefined };
  readonly condition: { readonly protocol: 2 | 3 };
  status = 'wait';
  /** All copies that were made, in their order. */
  readonly copies: ScriptedRedis[] = [];
  /** What reached the server on any copy. */
  readonly asked: Asked[];

  /** @param answer the reply to an operation; an error is the failure of the whole command */
  constructor(
    private readonly answer: (asked: Asked) => unknown,
    private readonly resp2 = false,
    asked: Asked[] = [],
    readonly besides = new Besides(),
    private readonly works = true,
  ) {
    super();
    this.asked = asked;
    this.condition = { protocol: resp2 ? 2 : 3 };
  }

  /** As what it stands for. */
  get client(): RedisClient {
    return this as unknown as RedisClient;
  }

  duplicate({ protocol }: { protocol?: number }): ScriptedRedis {
    const works = this.resp2 || protocol === 3;
    const copy = new ScriptedRedis(this.answer, this.resp2, this.asked, this.besides, works);
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

  subscribe(channel: string): Promise<unknown> {
    this.channel = channel;
    return this.besides.subscribe();
  }

  publish(): Promise<number> {
    return this.besides.publish();
  }

  ping(): Promise<unknown> {
    return this.besides.ping();
  }

  /** The channel on which the process hears. */
  channel = '';

  /** As if somebody had published there. */
  tell(text: string): void {
    this.emit('message', this.channel, text);
  }

  sendCommand(command: WrittenCommand): Promise<unknown> {
    return this.#run(command.name as Asked['command'], wordsOf(command.toWritable())).then(
      command.resolve,
      command.reject,
    );
  }

  async #run(command: Asked['command'], [, , count, ...rest]: readonly string[]): Promise<unknown> {
    const keys = rest.slice(1, Number(count));
    const args = rest.slice(Number(count));
    const [values, ttl] = [args[0]!, args[1]!];
    // One release alone has a line beside its key, one try alone has not.
    const releases = Number(args[2] ?? keys.length - 1);
    const tries = Number(args[3] ?? 1 - releases);
    const width = values.length / (releases + tries);
    const valueOf = (at: number): string => values.slice(at * width, (at + 1) * width);
    const operations: Asked[] = [
      ...keys.slice(0, releases).map((key, at) => ({ command, op: 'R', key, args: [valueOf(at)] })),
      ...keys
        .slice(2 * releases, 2 * releases + tries)
        .map((key, at) => ({ command, op: 'T', key, args: [valueOf(releases + at), ttl] })),
    ];
    const texts = JSON.parse(args[5] ?? '[]') as string[];
    for (let at = 0, place = 2 * releases + tries; at < texts.length; place += 2) {
      const op = texts[at]!;
      const taken = ARGUMENTS[op]!;
      operations.push({ command, op, key: keys[place]!, args: texts.slice(at + 1, at + 1 + taken) });
      at += 1 + taken;
    }
    this.asked.push(...operations);
    const replies = await Promise.all(
      operations.map(async (operation) => {
        const reply = await this.answer(operation);
        if (reply instanceof Error) throw reply;
        return reply;
      }),
    );
    return replies;
  }
}

/** The words of a command, as they are in Redis' protocol: each behind its length in bytes. */
function wordsOf(text: string): string[] {
  const words: string[] = [];
  const data = Buffer.from(text);
  for (let at = data.indexOf('$'); at >= 0 && at < data.length;) {
    const from = data.indexOf('\r\n', at) + 2;
    const length = Number(data.toString('latin1', at + 1, from - 2));
    words.push(data.toString('utf8', from, from + length));
    at = from + length + 2;
  }
  return words;
}

/** An error that the server itself answered with. */
export function replyError(message: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError' });
}
