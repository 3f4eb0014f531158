// @ts-check
// Plain JavaScript with checked JSDoc types: the fault suite runs without jest.
import { connect, createServer } from 'node:net';
import { HOST } from './redis_process.js';

/** @typedef {import('node:net').Socket} Socket */

/** One direction of a link: what came in, in order, and when it may go out. */
class Flow {
  /** @type {{ chunk: Buffer; due: number }[]} */ #waiting = [];
  /** @type {NodeJS.Timeout | undefined} */ #timer;
  #held = false;

  /** @param {Socket} to */
  constructor(to) {
    this.to = to;
    /** Milliseconds that everything takes on its way. */
    this.latency = 0;
    /** Whether what comes in vanishes. */
    this.lossy = false;
  }

  /** @param {Buffer} chunk */
  push(chunk) {
    if (this.lossy) return;
    const last = this.#waiting.at(-1);
    this.#waiting.push({ chunk, due: Math.max(performance.now() + this.latency, last?.due ?? 0) });
    this.#flush();
  }

  hold() {
    this.#held = true;
  }

  release() {
    this.#held = false;
    this.#flush();
  }

  end() {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.lossy = true;
  }

  #flush() {
    clearTimeout(this.#timer);
    for (let first = this.#waiting[0]; first && !this.#held; first = this.#waiting[0]) {
      const rest = first.due - performance.now();
      if (rest > 0) {
        this.#timer = setTimeout(() => this.#flush(), rest);
        return;
      }
      this.#waiting.shift();
      if (!this.to.destroyed) this.to.write(first.chunk);
    }
  }
}

/** A connection of a client, and the one to the server that stands for it. */
class Link {
  /** Whether the connection ends in the moment the server answers. */
  endsAtReply = false;
  /** Whether the end of one side is told to the other. */
  tells = true;

  /** @param {Socket} client @param {Socket} server @param {() => void} ended */
  constructor(client, server, ended) {
    this.client = client;
    this.server = server;
    this.requests = new Flow(server);
    this.replies = new Flow(client);
    client.on('data', (chunk) => this.requests.push(chunk));
    server.on('data', (chunk) => {
      if (this.endsAtReply) this.cut();
      else this.replies.push(chunk);
    });
    for (const side of [client, server]) {
      side.setNoDelay(true);
      side.on('error', () => undefined);
      side.once('close', () => {
        if (this.tells) this.cut();
        if (client.destroyed && server.destroyed) ended();
      });
    }
  }

  /** Both sides end, with a reset: what is on the way is lost. */
  cut() {
    for (const flow of [this.requests, this.replies]) flow.end();
    for (const side of [this.client, this.server]) if (!side.destroyed) side.resetAndDestroy();
  }

  /** The client's side ends, and what came from it waits for the returned function, which sends it on and ends the other. */
  strand() {
    this.tells = false;
    this.replies.end();
    this.requests.hold();
    this.client.resetAndDestroy();
    return () => {
      this.requests.release();
      this.server.end();
    };
  }

  /** One side ends and the other is never told. @param {'client' | 'server'} side */
  halve(side) {
    this.tells = false;
    for (const flow of [this.requests, this.replies]) flow.end();
    this[side].resetAndDestroy();
  }
}

/**
 * A network between clients and a server on this machine that fails as networks do: it delays, falls silent, loses
 * replies, breaks connections, or breaks one half of them. It speaks no protocol: bytes pass in order or not at all.
 */
export class TcpProxy {
  /** @type {Set<Link>} */ #links = new Set();
  /** @type {import('node:net').Server | undefined} */ #listener;
  #latency = { requests: 0, replies: 0 };
  #silent = false;
  #target;

  /** @param {number} target the server's port */
  constructor(target) {
    this.#target = target;
  }

  /** Where clients connect; 0 before `listen`. */
  get port() {
    const address = this.#listener?.address();
    return address && typeof address === 'object' ? address.port : 0;
  }

  /** How many connections of clients are open. */
  get links() {
    return this.#links.size;
  }

  /** Takes connections, on a free port unless told. */
  async listen(port = 0) {
    // Paused until the link listens, or the first bytes would be lost.
    const listener = createServer({ pauseOnConnect: true }, (client) => this.#accept(client));
    this.#listener = listener;
    await new Promise((resolve, reject) => listener.once('error', reject).listen(port, HOST, () => resolve(undefined)));
  }

  /** Leads new connections to another server; those that are open stay. @param {number} port */
  lead(port) {
    this.#target = port;
  }

  /** Everything takes so many milliseconds on its way, on open connections and new ones. */
  delay({ requests = 0, replies = 0 }) {
    this.#latency = { requests, replies };
    for (const link of this.#links) this.#slow(link);
  }

  /** A black hole: connections stay open, new ones are taken, and nothing arrives until `release`. */
  hold() {
    this.#silent = true;
    for (const link of this.#links) this.#mute(link);
  }

  /** What was held goes on its way, late. */
  release() {
    this.#silent = false;
    for (const { requests, replies } of this.#links) {
      requests.release();
      replies.release();
    }
  }

  /** Requests arrive and replies vanish, on the open connections; they can only be cut after that. */
  swallow() {
    for (const { replies } of this.#links) replies.lossy = true;
  }

  /** Ends each open connection in the moment the server answers on it: it did what it was asked, and nobody is told. */
  cutAtReply() {
    for (const link of this.#links) link.endsAtReply = true;
  }

  /** Ends all open connections, on both sides. */
  cut() {
    for (const link of this.#links) link.cut();
  }

  /** Ends one side of all open connections; the other keeps an open connection on which nothing comes or goes. */
  halve(/** @type {'client' | 'server'} */ side) {
    for (const link of this.#links) if (link.tells) link.halve(side);
  }

  /**
   * After `hold`: ends the client's side of all open connections, and lets new ones pass.
   * @returns sends on what had come on the old ones, which the server then hears late
   */
  strand() {
    this.#silent = false;
    const stranded = [...this.#links].map((link) => link.strand());
    return () => {
      for (const deliver of stranded) deliver();
    };
  }

  /** Ends everything. */
  async close() {
    const listener = this.#listener;
    this.#listener = undefined;
    const closed = new Promise((resolve) => (listener ? listener.close(resolve) : resolve(undefined)));
    this.cut();
    await closed;
  }

  /** @param {Socket} client */
  #accept(client) {
    const server = connect({ port: this.#target, host: HOST });
    const link = new Link(client, server, () => this.#links.delete(link));
    this.#links.add(link);
    this.#slow(link);
    if (this.#silent) this.#mute(link);
    client.resume();
  }

  /** @param {Link} link */
  #slow({ requests, replies }) {
    requests.latency = this.#latency.requests;
    replies.latency = this.#latency.replies;
  }

  /** @param {Link} link */
  #mute({ requests, replies }) {
    requests.hold();
    replies.hold();
  }
}
