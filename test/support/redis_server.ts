import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { describe } from '@jest/globals';
import { selfSigned } from './certificate.js';
import { findRedisCli, findRedisServer, HOST, RedisProcess } from './redis_process.js';
import { sentinelFile } from './redis_sentinel.js';

const run = promisify(execFile);
const SETTLE_LIMIT_MS = 30_000;
const ERROR_REPLY = /^(ERR|NOAUTH|NOPERM|WRONGPASS|WRONGTYPE|NOSCRIPT|MOVED|CLUSTERDOWN|LOADING|READONLY|MISCONF) /;

/** Where the Redis of all test files is: TEST_REDIS_URL, or the server that jest's globalSetup started. */
export function sharedRedis(): { readonly url: string; readonly host: string; readonly port: number } {
  const url = process.env['MCUBE_LOCK_TEST_URL'];
  if (!url) throw new Error("no shared Redis: jest's globalSetup, test/support/global_setup.js, did not run");
  const { hostname, port } = new URL(url);
  return { url, host: hostname, port: Number(port || 6379) };
}

/** `describe` for tests that start servers of their own; skipped where only TEST_REDIS_URL is at hand. */
export const describeWithOwnRedis = process.env['MCUBE_LOCK_TEST_SERVER'] === '' ? describe.skip : describe;

/** A key prefix that no other test uses. */
export function uniquePrefix(): string {
  return `test:${randomUUID()}:`;
}

export interface RedisOptions {
  /** Arguments of redis-server, such as `['--maxmemory', '1mb']`. */
  readonly args?: readonly string[];
  /** Password of the default user (`requirepass`). */
  readonly password?: string;
  /** Content of the ACL file: lines such as `user app on >secret ~* &* +@all`. */
  readonly acl?: string;
  /** TLS alone, with a certificate of its own; clients trust `server.ca`. */
  readonly tls?: boolean;
  /** Cluster mode; `startCluster` makes a whole one. */
  readonly cluster?: boolean;
  /** Every write is on disk before it is answered, so that data survive `restart()`. */
  readonly appendOnly?: boolean;
}

/** A redis-server of one test. Stop it with `stop()` or `await using`; it ends with the test process in any case. */
export class RedisServer {
  readonly host = HOST;
  /** The certificate to trust, in PEM; only with `tls`. */
  readonly ca: string | undefined;
  readonly #process: RedisProcess;
  readonly #options: RedisOptions;
  readonly #command: (port: number) => string[];

  /** @internal use `startRedis` */
  constructor(process: RedisProcess, options: RedisOptions, command: (port: number) => string[], ca?: string) {
    this.#process = process;
    this.#options = options;
    this.#command = command;
    this.ca = ca;
  }

  get port(): number {
    return this.#process.port;
  }

  /** The process's id; 0 while it is down. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Folder of its data and of `redis.log`. */
  get dir(): string {
    return this.#process.dir;
  }

  get url(): string {
    const { tls, password } = this.#options;
    return `${tls ? 'rediss' : 'redis'}://${password ? `:${encodeURIComponent(password)}@` : ''}${HOST}:${this.port}`;
  }

  /** Starts what is down; resolves once it answers. */
  async start(): Promise<void> {
    if (this.pid === 0) await this.#process.launch(this.#command, { tls: this.#options.tls ?? false });
  }

  /** Ends the server for good and removes its data. */
  async stop(): Promise<void> {
    await this.#process.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Ends the server as a power failure does; `start()` brings it back on the same port. */
  async kill(): Promise<void> {
    await this.#process.kill();
  }

  /** Shuts the server down and starts it on the same port; data survive with `appendOnly` only. */
  async restart(): Promise<void> {
    await this.#process.kill('SIGTERM');
    await this.start();
  }

  /** Stops the server's clock: connections stay open and nothing is answered. */
  pause(): void {
    this.#process.signal('SIGSTOP');
  }

  resume(): void {
    this.#process.signal('SIGCONT');
  }

  /** What redis-cli prints for a command, without the last line's end; rejects when Redis answers with an error. */
  async cli(...args: string[]): Promise<string> {
    const program = findRedisCli(redisServer() ?? '');
    if (!program) throw new Error('redis-cli is not beside redis-server, nor in PATH');
    const { password, tls } = this.#options;
    const auth = password ? { REDISCLI_AUTH: password } : {};
    const secure = tls ? ['--tls', '--insecure'] : [];
    const { stdout } = await run(program, ['-h', HOST, '-p', String(this.port), ...secure, ...args], {
      env: { ...process.env, ...auth },
      maxBuffer: 64 * 1024 * 1024,
      timeout: SETTLE_LIMIT_MS,
    });
    const reply = stdout.replace(/\n$/, '');
    if (ERROR_REPLY.test(reply)) throw new Error(`redis-cli ${args.join(' ')}: ${reply}`);
    return reply;
  }
}

/** Starts a redis-server of its own on a free port of 127.0.0.1 and resolves once it answers. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const process = new RedisProcess(redisServer());
  await process.prepare();
  const { settings, ca } = await writeSettings(process.dir, options);
  const command = (port: number): string[] => [
    ...(options.tls ? ['--port', '0', '--tls-port', String(port)] : ['--port', String(port)]),
    ...['--bind', HOST, '--save', '', ...settings, ...(options.args ?? [])],
  ];
  return started(new RedisServer(process, options, command, ca));
}

async function started(server: RedisServer): Promise<RedisServer> {
  try {
    await server.start();
    return server;
  } catch (error) {
    await server.stop();
    throw error;
  }
}

function redisServer(): string | undefined {
  return process.env['MCUBE_LOCK_TEST_SERVER'] || findRedisServer();
}

async function writeSettings(dir: string, options: RedisOptions): Promise<{ settings: string[]; ca?: string }> {
  const settings: string[] = [];
  if (options.password) settings.push('--requirepass', options.password);
  if (options.cluster) settings.push('--cluster-enabled', 'yes', '--cluster-node-timeout', '2000');
  if (options.appendOnly) settings.push('--appendonly', 'yes', '--appendfsync', 'always');
  if (options.acl !== undefined) {
    await writeFile(join(dir, 'users.acl'), `${options.acl.trim()}\n`);
    settings.push('--aclfile', join(dir, 'users.acl'));
  }
  if (!options.tls) return { settings };
  const { cert, key } = selfSigned();
  await writeFile(join(dir, 'cert.pem'), cert);
  await writeFile(join(dir, 'key.pem'), key);
  const files = ['--tls-cert-file', join(dir, 'cert.pem'), '--tls-key-file', join(dir, 'key.pem')];
  settings.push(...files, '--tls-ca-cert-file', join(dir, 'cert.pem'), '--tls-auth-clients', 'no');
  return { settings, ca: cert };
}

/** Several servers that belong together. */
export interface RedisGroup {
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A cluster of masters that share the slots evenly; `endpoints` as `host:port`. */
export interface RedisCluster extends RedisGroup {
  /** The masters. */
  readonly nodes: readonly RedisServer[];
  /** The replica of each master, in their order; none unless they were asked for. */
  readonly replicas: readonly RedisServer[];
  readonly endpoints: readonly string[];
}

/** How a cluster is made. */
export interface RedisClusterOptions extends RedisOptions {
  /** One replica for each master, which takes its place within some seconds of its end. */
  readonly replicas?: boolean;
}

/** Starts a cluster and resolves once every node reports that it is whole, and every replica is in step. */
export async function startCluster(masters = 3, options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const quick = ['--cluster-node-timeout', '1000', '--repl-diskless-sync-delay', '0'];
  const args = [...(options.replicas ? quick : []), ...(options.args ?? [])];
  const count = options.replicas ? 2 * masters : masters;
  const all = await startAll(Array.from({ length: count }, () => startRedis({ ...options, args, cluster: true })));
  const [nodes, replicas] = [all.slice(0, masters), all.slice(masters)];
  return groupOrNothing(all, async () => {
    await Promise.all(nodes.map((node, at) => giveSlots(node, at, masters)));
    for (const other of all.slice(1)) await nodes[0]!.cli('cluster', 'meet', HOST, String(other.port));
    await until('the cluster is whole', async () => {
      const views = await Promise.all(all.map((node) => node.cli('cluster', 'info')));
      const whole = ['cluster_state:ok', `cluster_size:${masters}`, `cluster_known_nodes:${count}`];
      return views.every((view) => whole.every((part) => view.includes(part)));
    });
    await Promise.all(replicas.map((replica, at) => follow(replica, nodes[at]!)));
    return { nodes, replicas, endpoints: nodes.map((node) => `${HOST}:${node.port}`) };
  });
}

async function follow(replica: RedisServer, master: RedisServer): Promise<void> {
  await replica.cli('cluster', 'replicate', await master.cli('cluster', 'myid'));
  await inStep(replica);
}

async function inStep(replica: RedisServer): Promise<void> {
  await until('the replica is in step', async () => (await replica.cli('role')).includes('connected'));
}

async function giveSlots(node: RedisServer, at: number, masters: number): Promise<void> {
  const first = Math.ceil((at * 16_384) / masters);
  const end = Math.ceil(((at + 1) * 16_384) / masters);
  // Different epochs from the start: nodes that have the same one settle that first, which takes time.
  await node.cli('cluster', 'set-config-epoch', String(at + 1));
  await node.cli('cluster', 'addslots', ...Array.from({ length: end - first }, (_, slot) => String(first + slot)));
}

/** A master, its replica and the sentinels that watch them; `sentinels` each have `host` and `port`. */
export interface RedisSentinels extends RedisGroup {
  /** What the sentinels call the master. */
  readonly name: string;
  readonly master: RedisServer;
  readonly replica: RedisServer;
  readonly sentinels: readonly RedisServer[];
}

/** Starts master, replica and sentinels, and resolves once every sentinel could carry out a failover. */
export async function startSentinel(count = 1, name = 'mymaster'): Promise<RedisSentinels> {
  const master = await startRedis();
  const servers = [master];
  return groupOrNothing(servers, async () => {
    const replica = await startRedis({ args: ['--replicaof', HOST, String(master.port)] });
    servers.push(replica);
    const watch = sentinelFile(name, HOST, master.port, Math.floor(count / 2) + 1);
    const sentinels = await startAll(Array.from({ length: count }, () => startOneSentinel(watch)));
    servers.push(...sentinels);
    await inStep(replica);
    await until('the sentinels know everybody', async () => {
      const views = await Promise.all(sentinels.map((sentinel) => sentinel.cli('sentinel', 'master', name)));
      return views.every((view) => knows(view, 'num-slaves', 1) && knows(view, 'num-other-sentinels', count - 1));
    });
    return { name, master, replica, sentinels };
  });
}

async function startOneSentinel(watch: string): Promise<RedisServer> {
  const process = new RedisProcess(redisServer());
  await process.prepare();
  const file = join(process.dir, 'sentinel.conf');
  await writeFile(file, watch);
  const command = (port: number): string[] => [file, '--sentinel', '--port', String(port), '--bind', HOST];
  return started(new RedisServer(process, {}, command));
}

/** redis-cli prints a map as a line with the name and one with the value. */
function knows(view: string, field: string, number: number): boolean {
  const lines = view.split('\n');
  return lines[lines.indexOf(field) + 1] === String(number);
}

async function startAll(starting: Promise<RedisServer>[]): Promise<RedisServer[]> {
  const outcomes = await Promise.allSettled(starting);
  const servers = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (!failed) return servers;
  await stopAll(servers);
  throw failed.reason;
}

async function stopAll(servers: readonly RedisServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()));
}

async function groupOrNothing<T>(servers: readonly RedisServer[], make: () => Promise<T>): Promise<T & RedisGroup> {
  const stop = (): Promise<void> => stopAll(servers);
  try {
    return { ...(await make()), stop, [Symbol.asyncDispose]: stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const limit = performance.now() + SETTLE_LIMIT_MS;
  while (!(await holds())) {
    if (performance.now() > limit) throw new Error(`not within ${SETTLE_LIMIT_MS} ms: ${what}`);
    await sleep(20);
  }
}
