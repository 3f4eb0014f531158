// @ts-check
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { HOST, RedisProcess } from '../support/redis_process.js';
import { sentinelFile } from '../support/redis_sentinel.js';
import { TcpProxy } from '../support/tcp_proxy.js';

/**
 * How servers and processes are wired:
 * - `direct`: one server
 * - `proxied`: one server, and a network that can fail before each process
 * - `pair`: a master and its replica, each process by a proxy that leads to the one that is master
 * - `sentinel`: a master, its replica, and a sentinel that processes ask for the master
 * @typedef {'direct' | 'proxied' | 'pair' | 'sentinel'} Wiring
 */

const NAME = 'mymaster';
const SETTLE_LIMIT = 30_000;
export const USER = { username: 'app', password: 'secret' };

/** A redis-server and a connection to it that nothing is done to. */
export class Node {
  /** @type {Redis | undefined} */ #admin;
  #process = new RedisProcess();
  #args;

  /** @param {readonly string[]} args */
  constructor(args) {
    this.#args = args;
  }

  get port() {
    return this.#process.port;
  }

  get admin() {
    if (!this.#admin) throw new Error('this server was not opened');
    return this.#admin;
  }

  async open() {
    await this.#process.prepare();
    await this.start();
    this.#admin = new Redis(this.port, { retryStrategy: () => 50, maxRetriesPerRequest: null });
    this.#admin.on('error', () => undefined);
  }

  /** On the same port as before. @param {readonly string[]} [more] */
  async start(more = []) {
    const common = ['--bind', HOST, '--save', '', '--appendonly', 'no', '--repl-diskless-sync-delay', '0'];
    const user = ['--user', USER.username, 'on', `>${USER.password}`, '~*', '&*', '+@all'];
    await this.#process.launch((port) => ['--port', String(port), ...common, ...user, ...this.#args, ...more]);
  }

  kill() {
    return this.#process.kill();
  }

  /** @param {'SIGSTOP' | 'SIGCONT'} signal */
  signal(signal) {
    this.#process.signal(signal);
  }

  async close() {
    this.#admin?.disconnect();
    await this.#process.stop();
  }
}

/** The servers of one plan, and what is between them and the processes. */
export class Servers {
  /** @type {TcpProxy[]} One for each process that was started. */ proxies = [];
  /** @type {Node} */ master;
  /** @type {Node} */ replica;
  /** @type {RedisProcess | undefined} */ #sentinel;
  /** @type {Redis | undefined} */ #watch;

  /** @param {Wiring} wiring @param {readonly string[]} args of redis-server */
  constructor(wiring, args) {
    this.wiring = wiring;
    this.master = new Node(args);
    this.replica = new Node(args);
  }

  /** @returns {Promise<this>} */
  async open() {
    await this.master.open();
    if (this.wiring === 'pair' || this.wiring === 'sentinel') {
      await this.replica.open();
      await this.replica.admin.replicaof(HOST, this.master.port);
      await this.inStep();
    }
    if (this.wiring === 'sentinel') await this.#openSentinel();
    return this;
  }

  /** Where the next process connects. @returns {Promise<import('ioredis').RedisOptions>} */
  async way() {
    if (this.wiring === 'direct') return { host: HOST, port: this.master.port, ...USER };
    if (this.wiring === 'sentinel') {
      const sentinels = [{ host: HOST, port: this.#sentinel?.port ?? 0 }];
      return { sentinels, name: NAME, failoverDetector: true };
    }
    const proxy = new TcpProxy(this.master.port);
    await proxy.listen();
    this.proxies.push(proxy);
    return { host: HOST, port: proxy.port, ...(this.wiring === 'proxied' ? USER : {}) };
  }

  /** Resolves when the replica has all that the master has. */
  async inStep() {
    await until('the replica is in step', async () => {
      const { admin } = this.replica;
      return /master_link_status:up/.test(await admin.info('replication'));
    });
  }

  /** The replica is the master now, and new connections lead to it. */
  promoted() {
    [this.master, this.replica] = [this.replica, this.master];
    for (const proxy of this.proxies) proxy.lead(this.master.port);
  }

  /** Resolves when the sentinel names the replica, and it is one no more. */
  async failedOver() {
    await until('the replica was promoted', async () => {
      const named = await this.#watch?.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME);
      const role = await this.replica.admin.role();
      return Array.isArray(named) && Number(named[1]) === this.replica.port && String(role[0]) === 'master';
    });
  }

  async close() {
    this.#watch?.disconnect();
    await Promise.all([...this.proxies.map((proxy) => proxy.close()), this.#sentinel?.stop()]);
    await Promise.all([this.master, this.replica].map((node) => node.close()));
  }

  async #openSentinel() {
    const sentinel = new RedisProcess();
    this.#sentinel = sentinel;
    await sentinel.prepare();
    const file = join(sentinel.dir, 'sentinel.conf');
    await writeFile(file, sentinelFile(NAME, HOST, this.master.port, 1));
    await sentinel.launch((port) => [file, '--sentinel', '--port', String(port), '--bind', HOST]);
    const watch = new Redis(sentinel.port, { maxRetriesPerRequest: null });
    this.#watch = watch;
    watch.on('error', () => undefined);
    await until('the sentinel knows the replica', async () => {
      const view = /** @type {string[]} */ (await watch.call('SENTINEL', 'MASTER', NAME));
      return view[view.indexOf('num-slaves') + 1] === '1';
    });
  }
}

/** @param {string} what @param {() => Promise<boolean>} holds */
export async function until(what, holds) {
  const limit = performance.now() + SETTLE_LIMIT;
  while (!(await holds())) {
    if (performance.now() > limit) throw new Error(`not within ${SETTLE_LIMIT} ms: ${what}`);
    await sleep(10);
  }
}
