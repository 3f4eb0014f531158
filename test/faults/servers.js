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
 * - `cluster`: three masters that share the slots
 * @typedef {'direct' | 'proxied' | 'pair' | 'sentinel' | 'cluster'} Wiring
 */

/** Where a process connects: options of ioredis, or the nodes of a Cluster. @typedef {import('ioredis').RedisOptions | { nodes: { host: string; port: number }[] }} Way */

const NAME = 'mymaster';
const SETTLE_LIMIT = 30_000;
const SLOTS = 16_384;
const OF_CLUSTER = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
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
  /** @type {Node[]} All of a cluster. */ nodes = [];
  /** @type {RedisProcess | undefined} */ #sentinel;
  /** @type {Redis | undefined} */ #watch;
  /** @type {Map<number, Node>} Who has the slots that were moved. */ #moved = new Map();

  /** @param {Wiring} wiring @param {readonly string[]} args of redis-server */
  constructor(wiring, args) {
    this.wiring = wiring;
    this.master = new Node(args);
    this.replica = new Node(args);
    if (wiring === 'cluster') this.nodes = [1, 2, 3].map(() => new Node([...OF_CLUSTER, ...args]));
  }

  /** Those that have keys. */
  get masters() {
    return this.wiring === 'cluster' ? this.nodes : [this.master];
  }

  /** @returns {Promise<this>} */
  async open() {
    if (this.wiring === 'cluster') return this.#openCluster();
    await this.master.open();
    if (this.wiring === 'pair' || this.wiring === 'sentinel') {
      await this.replica.open();
      await this.replica.admin.replicaof(HOST, this.master.port);
      await this.inStep();
    }
    if (this.wiring === 'sentinel') await this.#openSentinel();
    return this;
  }

  /** Where the next process connects. @returns {Promise<Way>} */
  async way() {
    if (this.wiring === 'cluster') return { nodes: this.nodes.map(({ port }) => ({ host: HOST, port })) };
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
    await Promise.all([this.master, this.replica, ...this.nodes].map((node) => node.close()));
  }

  /** Who has the slot of a key. @param {string} key */
  async ownerOf(key) {
    const slot = Number(await this.nodes[0]?.admin.call('CLUSTER', 'KEYSLOT', key));
    const byShare = this.nodes[Math.floor((slot * this.nodes.length) / SLOTS)];
    return { slot, owner: /** @type {Node} */ (this.#moved.get(slot) ?? byShare) };
  }

  /**
   * A slot goes to another master, as an operator moves it: the keys first, then the slot. Of two nodes that claim it, all believe the
   * one of the newer epoch, and who takes it makes its epoch newer than those it has heard of; so the two hear of each other's first.
   * @param {{ slot: number; owner: Node }} place
   * @param {Node} target
   * @param {() => Promise<unknown>} pause between the steps
   * @param {() => Promise<unknown>} last before the one that had it is told, as the last of all
   */
  async moveSlot({ slot, owner }, target, pause = async () => undefined, last = pause) {
    const [from, to] = await Promise.all(
      [owner, target].map(({ admin }) => admin.call('CLUSTER', 'MYID').then(String)),
    );
    /** @param {Node} node @param {...string} what */
    const set = (node, ...what) => node.admin.call('CLUSTER', 'SETSLOT', slot, ...what);
    await until('both know the newest epoch', async () => {
      const [had, has] = await Promise.all([owner, target].map(epochs));
      return had?.newest === has?.newest && had?.own !== has?.own;
    });
    await set(target, 'IMPORTING', from ?? '');
    await set(owner, 'MIGRATING', to ?? '');
    for (;;) {
      await pause();
      const keys = /** @type {string[]} */ (await owner.admin.call('CLUSTER', 'GETKEYSINSLOT', slot, 100));
      if (keys.length === 0) break;
      await owner.admin.call('MIGRATE', HOST, target.port, '', 0, 5_000, 'KEYS', ...keys);
    }
    const others = this.nodes.filter((node) => node !== owner && node !== target);
    for (const node of [target, ...others]) await set(node, 'NODE', to ?? '');
    await last();
    await set(owner, 'NODE', to ?? '');
    this.#moved.set(slot, target);
  }

  async #openCluster() {
    const { nodes } = this;
    await Promise.all(nodes.map((node) => node.open()));
    for (const [at, { admin }] of nodes.entries()) {
      const [first, next] = [at, at + 1].map((share) => Math.ceil((share * SLOTS) / nodes.length));
      // Different epochs from the start: nodes that have the same one settle that first.
      await admin.call('CLUSTER', 'SET-CONFIG-EPOCH', at + 1);
      await admin.call('CLUSTER', 'ADDSLOTSRANGE', first ?? 0, (next ?? 0) - 1);
      await nodes[0]?.admin.call('CLUSTER', 'MEET', HOST, nodes[at]?.port ?? 0);
    }
    await until('the cluster is whole', async () => {
      const views = await Promise.all(nodes.map(({ admin }) => admin.call('CLUSTER', 'INFO').then(String)));
      const whole = ['cluster_state:ok', `cluster_size:${nodes.length}`, `cluster_known_nodes:${nodes.length}`];
      return views.every((view) => whole.every((part) => view.includes(part)));
    });
    return this;
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

/** The epoch in which a node of a cluster claims its slots, and the newest that it has heard of. @param {Node} node */
async function epochs({ admin }) {
  const info = String(await admin.call('CLUSTER', 'INFO'));
  const of = (/** @type {string} */ which) => Number(new RegExp(`^cluster_${which}_epoch:(\\d+)`, 'm').exec(info)?.[1]);
  return { own: of('my'), newest: of('current') };
}

/** @param {string} what @param {() => Promise<boolean>} holds */
export async function until(what, holds) {
  const limit = performance.now() + SETTLE_LIMIT;
  while (!(await holds())) {
    if (performance.now() > limit) throw new Error(`not within ${SETTLE_LIMIT} ms: ${what}`);
    await sleep(10);
  }
}
