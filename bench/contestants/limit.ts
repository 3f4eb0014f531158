import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { TTL, type Contestant } from './contestant.js';
import { SCRIPTED } from './ours.js';

/** The library's own script, of the copy that is measured. */
interface ScriptModule {
  SCRIPT: string;
  SCRIPT_SHA: string;
}

interface Operation {
  readonly op: 'T' | 'R';
  readonly key: string;
  readonly value: string;
  readonly resolve: (reply: unknown) => void;
}

const GUARD = 'mlk:fence';
const CAP = 128;

/** A socket without a client around it, which sends what the library sends: all operations of a tick as one EVALSHA. */
export const limit: Contestant = {
  name: 'raw socket',
  kind: 'limit',
  settings: "the library's script, one write per tick, replies read by hand",
  inner: SCRIPTED,
  uncontendedOnly: true,
  async open(port) {
    const { SCRIPT, SCRIPT_SHA } = (await import(
      new URL('../dist/config/lock/provider/redis/script.js', import.meta.url).href
    )) as ScriptModule;
    const socket = connect(port, '127.0.0.1').setNoDelay();
    await once(socket, 'connect');
    const wire = new Wire(socket, SCRIPT_SHA);
    await wire.send(['SCRIPT', 'LOAD', SCRIPT]);
    let tokens = 0;
    return {
      async use(key, body) {
        const value = `raw${String(tokens++).padStart(18, '0')}_`;
        const fence = await wire.run('T', key, value);
        if (typeof fence !== 'number' || fence < 1) throw new Error(`not obtained: ${String(fence)}`);
        const running = body();
        if (running) await running;
        const released = await wire.run('R', key, value);
        // 2 where somebody was waiting.
        if (released !== 1 && released !== 2) throw new Error(`not released: ${String(released)}`);
      },
    };
  },
};

class Wire {
  #operations: Operation[] = [];
  /** Who waits for a reply, in the order of the calls. */
  readonly #answered: ((reply: unknown) => void)[] = [];
  #rest: Buffer = Buffer.alloc(0);

  constructor(
    private readonly socket: Socket,
    private readonly sha: string,
  ) {
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
  }

  send(words: string[]): Promise<unknown> {
    return new Promise((resolve) => {
      this.#answered.push(resolve);
      this.socket.write(encode(words));
    });
  }

  run(op: 'T' | 'R', key: string, value: string): Promise<unknown> {
    return new Promise((resolve) => {
      if (this.#operations.push({ op, key, value, resolve }) === 1) process.nextTick(() => this.#flush());
    });
  }

  #flush(): void {
    const operations = this.#operations;
    this.#operations = [];
    let text = '';
    for (let at = 0; at < operations.length; at += CAP) text += this.#call(operations.slice(at, at + CAP));
    this.socket.write(text);
  }

  #call(operations: Operation[]): string {
    const releases = operations.filter(({ op }) => op === 'R');
    const tries = operations.filter(({ op }) => op === 'T');
    const inOrder = [...releases, ...tries];
    this.#answered.push((reply) => {
      // A number when all went as usual, see script.ts; a wrong reply ends the run.
      inOrder.forEach(({ resolve }, at) => {
        if (typeof reply !== 'number') resolve(Array.isArray(reply) ? reply[at] : reply);
        else resolve(at < releases.length ? 1 : reply + at - releases.length);
      });
    });
    const keys = [
      ...releases.map(({ key }) => key),
      ...releases.map(({ key }) => `${key}:~q`),
      ...tries.map(({ key }) => key),
    ];
    const values = inOrder.map(({ value }) => value).join('');
    const counts = operations.length === 1 ? [] : [String(releases.length), String(tries.length)];
    const args = [values, tries.length === 0 ? '' : String(TTL), ...counts];
    return encode(['EVALSHA', this.sha, String(keys.length + 1), GUARD, ...keys, ...args]);
  }

  #read(chunk: Buffer): void {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const reader = new Reader(data);
    let done = 0;
    while (done < data.length) {
      const reply = reader.next();
      if (reply === INCOMPLETE) break;
      done = reader.at;
      this.#answered.shift()?.(reply);
    }
    this.#rest = data.subarray(done);
  }
}

function encode(words: string[]): string {
  let text = `*${words.length}\r\n`;
  for (const word of words) text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
  return text;
}

const INCOMPLETE = Symbol('incomplete');

/** Redis' replies, as far as the script gives them. */
class Reader {
  at = 0;
  constructor(private readonly data: Buffer) {}

  next(): unknown {
    const end = this.data.indexOf('\r\n', this.at, 'latin1');
    if (end < 0) return INCOMPLETE;
    const kind = this.data[this.at]!;
    const line = this.data.toString('latin1', this.at + 1, end);
    this.at = end + 2;
    if (kind === 0x3a) return Number(line);
    if (kind === 0x2a) return this.#list(Number(line));
    if (kind === 0x24) return this.#text(Number(line));
    return kind === 0x2d ? new Error(line) : line;
  }

  #list(length: number): unknown {
    const items: unknown[] = [];
    while (items.length < length) {
      const item = this.next();
      if (item === INCOMPLETE) return INCOMPLETE;
      items.push(item);
    }
    return items;
  }

  #text(length: number): unknown {
    if (length < 0) return null;
    const end = this.at + length;
    if (this.data.length < end + 2) return INCOMPLETE;
    const text = this.data.toString('utf8', this.at, end);
    this.at = end + 2;
    return text;
  }
}
