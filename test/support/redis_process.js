// @ts-check
// Plain JavaScript with checked JSDoc types: jest loads its globalSetup outside of ts-jest.
import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

export const HOST = '127.0.0.1';
const USUAL_FOLDERS = ['/usr/bin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/sbin', '/snap/bin'];
const START_LIMIT_MS = 30_000;
/** Said by a server that has its port, and by a sentinel. */
const READY = /Ready to accept connections|Sentinel ID is/;
// Below the range from which systems take the ports of outgoing connections, a cluster's bus (port + 10000) included.
const FIRST_PORT = 11_000;
const PORTS = 11_000;

/**
 * Where redis-server is: the variable REDIS_SERVER, then PATH, then the usual folders.
 * @returns {string | undefined} its path
 * @throws {Error} REDIS_SERVER names no program
 */
export function findRedisServer() {
  const named = process.env['REDIS_SERVER'];
  if (named && !runs(named)) throw new Error(`REDIS_SERVER: found ${named}, expected the path of a redis-server`);
  return named || findProgram('redis-server');
}

/**
 * Where the redis-cli of that server is: beside it, else as any program.
 * @param {string} server
 * @returns {string | undefined} its path
 */
export function findRedisCli(server) {
  const beside = join(dirname(server), basename(server).replace('server', 'cli'));
  return beside !== server && runs(beside) ? beside : findProgram('redis-cli');
}

/**
 * Where a program is: PATH, then the usual folders.
 * @param {string} name
 * @returns {string | undefined} its path
 */
export function findProgram(name) {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...USUAL_FOLDERS];
  return folders.map((folder) => join(folder || '.', name)).find(runs);
}

/** @param {string} path */
function runs(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * A redis-server of our own on a free port of this machine, with a folder of its own. It does not keep this process
 * alive and does not outlive it, however this process ends.
 */
export class RedisProcess {
  /** @type {number} */ port = 0;
  /** @type {string} */ dir = '';
  /** @type {import('node:child_process').ChildProcess | undefined} */ #server;
  /** @type {import('node:child_process').ChildProcess | undefined} */ #watchdog;
  #program;

  /** @param {string} [program] the redis-server to run */
  constructor(program = findRedisServer()) {
    if (!program) throw new Error(HOW_TO_GET_REDIS);
    this.#program = program;
  }

  /** The process's id; 0 while it does not run. */
  get pid() {
    return this.#server?.pid ?? 0;
  }

  /** Makes the server's folder; `launch` needs it. */
  async prepare() {
    this.dir = await mkdtemp(join(tmpdir(), 'mcube-lock-redis-'));
  }

  /**
   * Starts the server and resolves once it answers. A port taken by another in the meantime is replaced;
   * that of a server that was there before is waited for.
   * @param {(port: number) => string[]} argumentsFor the command line for a port
   * @param {{ tls?: boolean }} [options]
   */
  async launch(argumentsFor, { tls = false } = {}) {
    const fixed = this.port !== 0;
    for (let tries = 1; ; tries++) {
      if (!fixed) this.port = await freePort();
      try {
        return await this.#spawn(argumentsFor(this.port), tls);
      } catch (error) {
        await this.kill();
        const taken = error instanceof Error && /in use|Failed listening/i.test(error.message);
        if (!taken || tries === 10) throw error;
        // It may have been given to another for a moment.
        if (fixed) await sleep(500);
      }
    }
  }

  /**
   * @param {string[]} args
   * @param {boolean} tls
   */
  async #spawn(args, tls) {
    const logFile = join(this.dir, 'redis.log');
    const log = openSync(logFile, 'w');
    // A session of its own: Ctrl-C in the terminal reaches jest alone, whose end then ends the server.
    const server = spawn(this.#program, args, { cwd: this.dir, stdio: ['ignore', log, log], detached: true });
    closeSync(log);
    server.unref();
    this.#server = server;
    /** @type {string | undefined} */ let ended;
    server.once('error', (error) => (ended = error.message));
    server.once('exit', (code, signal) => (ended = `ended with ${signal ?? `code ${code}`}`));
    this.#watch();
    const limit = performance.now() + START_LIMIT_MS;
    while (ended === undefined && performance.now() < limit) {
      // Its own word, too: another server may have been given the same port in the meantime, and answer there.
      if ((await answers(this.port, tls)) && READY.test(readFileSync(logFile, 'utf8'))) return;
      await sleep(10);
    }
    const lines = readFileSync(logFile, 'utf8').trim().split('\n').slice(-5).join('\n');
    throw new Error(`redis-server ${ended ?? `did not answer within ${START_LIMIT_MS} ms`}:\n${lines}`);
  }

  /** A shell that waits for the end of its input, which is the end of this process, and then clears up. */
  #watch() {
    if (!this.pid) return;
    const script = 'cat >/dev/null; kill -9 "$1" 2>/dev/null; rm -rf -- "$2"';
    const args = ['-c', script, 'watchdog', String(this.pid), this.dir];
    const watchdog = spawn('/bin/sh', args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    watchdog.unref();
    // The pipe to a child is a socket, which can be told not to keep this process alive.
    /** @type {import('node:net').Socket} */ (/** @type {unknown} */ (watchdog.stdin)).unref();
    watchdog.stdin?.on('error', () => undefined);
    this.#watchdog = watchdog;
  }

  /**
   * Ends the server with a signal and keeps its folder, so that it may be launched again.
   * @param {NodeJS.Signals} [signal]
   */
  async kill(signal = 'SIGKILL') {
    const server = this.#server;
    this.#server = undefined;
    if (server?.pid && server.exitCode === null && server.signalCode === null) {
      const exited = new Promise((resolve) => server.once('exit', resolve));
      server.ref();
      server.kill(signal);
      if (signal !== 'SIGKILL') server.kill('SIGCONT');
      await exited;
    }
    this.#watchdog?.kill('SIGKILL');
    this.#watchdog = undefined;
  }

  /** Ends the server and removes its folder; more calls do nothing. */
  async stop() {
    await this.kill();
    if (this.dir) await rm(this.dir, { recursive: true, force: true });
  }

  /**
   * Sends a signal to the running server.
   * @param {NodeJS.Signals} signal
   */
  signal(signal) {
    if (!this.#server?.kill(signal)) throw new Error('this redis-server does not run');
  }
}

export const HOW_TO_GET_REDIS =
  'the tests need a Redis: install redis-server (Debian, Ubuntu: apt-get install redis-server; macOS: brew install redis), ' +
  'or name its path in REDIS_SERVER, or a running server in TEST_REDIS_URL (such as redis://127.0.0.1:6379).';

/** A port that nobody listens on, nor on the one that a cluster would use beside it. */
async function freePort() {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    if ((await isFree(port)) && (await isFree(port + 10_000))) return port;
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, HOST, () => probe.close(() => resolve(true)));
  });
}

/**
 * Whether a server answers a PING, be it by asking for a password.
 * @param {number} port
 * @param {boolean} tls
 * @returns {Promise<boolean>}
 */
function answers(port, tls) {
  return new Promise((resolve) => {
    const socket = tls ? connectTls({ host: HOST, port, rejectUnauthorized: false }) : connect(port, HOST);
    const done = (/** @type {boolean} */ answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1_000, () => done(false));
    socket.once('error', () => done(false));
    socket.once('close', () => done(false));
    socket.once('data', (reply) => done(/^(\+PONG|-NOAUTH|-ERR)/.test(reply.toString())));
    socket.write('PING\r\n');
  });
}
