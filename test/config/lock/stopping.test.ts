import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { runScript, type Ended } from '../../support/child.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../support/redis_server.js';

/** How long `factory.close` takes at most, in milliseconds, and room for a busy machine. */
const CLOSE_LIMIT = 5_000;
const ROOM = 30_000;
const ALL_STATES = 300_000;

/**
 * What a program is about when it is stopped. `pending` is to be settled by the stop, or before it; `silent()` stops the
 * server's clock where the test wants that, and `server(signal)` in any case.
 */
const STATES: Record<string, string> = {
  asking: `silent(); pending.push(mine.lock());`,
  waiting: `await theirs.lock(); pending.push(mine.lock()); await sleep(150); silent();`,
  held: `await mine.lock(); mine.signal; silent();`,
  renewing: `await mine.withOpt({ renew: true }).lock(); mine.signal; silent(); pending.push(mine.refresh()); await sleep(250);`,
  releasing: `await mine.lock(); silent(); pending.push(mine.unlock());`,
  unsure: `await mine.lock(); server('SIGSTOP'); await mine.unlock().catch(() => undefined);
           if (!process.env.SILENT) server('SIGCONT');`,
  lost: `await mine.lock(); mine.signal; const end = performance.now() + 700; while (performance.now() < end); silent();`,
  running: `pending.push(locks.run('mine', '600ms', ({ signal }) => new Promise((done) => signal.addEventListener('abort', done))));
            await sleep(100); silent();`,
  nothing: `await mine.lock(); await mine.unlock(); silent();`,
};
const IN_MEMORY = ['waiting', 'held', 'renewing', 'lost', 'running', 'nothing'];

const program = (state: string, stop: string): string => `
  import { setTimeout as sleep } from 'node:timers/promises';
  import { ioc, lock } from 'mcube-lock';
  process.removeAllListeners('warning');
  await ioc.developmentSetup();
  const locks = lock.L();
  const mine = locks.new('mine', '600ms');
  const theirs = locks.new('mine', '60s');
  const pending = [];
  const server = (signal) => process.kill(Number(process.env.SERVER), signal);
  const silent = () => process.env.SILENT && server('SIGSTOP');
  ${STATES[state]}
  const began = performance.now();
  const say = (fields) => console.log(JSON.stringify({ ...fields, held: mine.held, ms: performance.now() - began }));
  Promise.allSettled(pending).then((all) => say({ settled: all.map(({ reason }) => reason?.code ?? 'done') }));
  process.once('exit', () => say({ ended: true }));
  ${stop}`;

const STOP = `await ioc.stop().catch(() => undefined); say({ stopped: true });`;
const SIGNAL = `ioc.stopOnSignals(); process.kill(process.pid, 'SIGTERM'); setTimeout(() => undefined, 60_000);`;

interface Said {
  readonly settled?: string[];
  readonly stopped?: true;
  readonly ended?: true;
  readonly held: boolean;
  readonly ms: number;
}

const said = ({ stdout }: Ended): Said[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Said);

/** What every program promises, whatever it is about: it settles what is pending, stops, holds nothing, and ends. */
function endedWell(ended: Ended, how: string, limit: number): void {
  expect(ended).toMatchObject({ timedOut: false, ...(how === 'stop' ? { code: 0 } : { signal: 'SIGTERM' }) });
  const lines = said(ended);
  const settled = lines.find((line) => line.settled)!;
  // A wait is rejected; what was asked before the stop may still succeed.
  for (const code of settled.settled!) {
    expect(['done', 'ERR_NOT_READY', 'ERR_LOCK_NOT_HELD', 'ERR_LOCK_PROVIDER_UNREACHABLE']).toContain(code);
  }
  expect(ended.ms).toBeLessThan(limit + ROOM);
  // A signal ends a process without another word.
  if (how === 'signal') return;
  const [stopped, last] = lines.slice(-2);
  expect([stopped, last]).toMatchObject([
    { stopped: true, held: false },
    { ended: true, held: false },
  ]);
  expect(last!.ms - stopped!.ms).toBeLessThan(2_500);
}

const WAYS = { stop: STOP, signal: SIGNAL };

/** What fails at the top of a module ends the process at once. */
const UNCAUGHT: Record<string, string> = {
  waiting: `await locks.new('busy', '60s').lock();`,
  running: `await locks.run('mine too', '60s', ({ signal }) =>
              new Promise((_, fail) => signal.addEventListener('abort', () => fail(signal.reason))));`,
};

const uncaught = (state: string, stop: string): string => `
  import { ioc, lock } from 'mcube-lock';
  await ioc.developmentSetup();
  const locks = lock.L();
  const say = () => undefined;
  await locks.new('mine', '60s').lock();
  setTimeout(async () => { ${stop} }, 100);
  ${UNCAUGHT[state]}`;

describe('a program on go_cache that is stopped', () => {
  it.each(Object.entries(WAYS))(
    'by %s gives everything up and ends, whatever it is about',
    async (how, stop) => {
      const env = { LOCK_PROVIDER: 'go_cache', SILENT: undefined };
      for (const state of IN_MEMORY) {
        const ended = await runScript(program(state, stop), { env });
        expect({ state, ...ended }).toMatchObject({ state, stderr: '' });
        endedWell(ended, how, 0);
      }
    },
    ALL_STATES,
  );
});

describeWithOwnRedis('a program on redis that is stopped', () => {
  let servers: RedisServer[] = [];
  const states = Object.keys(STATES);

  beforeAll(async () => {
    servers = await Promise.all(states.map(() => startRedis()));
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });

  const run = (state: string, stop: string, server: RedisServer, silent: boolean): Promise<Ended> => {
    const env = {
      LOCK_PROVIDER: 'redis',
      REDIS_ENDPOINTS: `${server.host}:${server.port}`,
      REDIS_COMMAND_TIMEOUT: '1s',
      SERVER: String(server.pid),
      SILENT: silent ? 'yes' : undefined,
    };
    return runScript(program(state, stop), { env, limit: 60_000 });
  };

  it.each(Object.entries(WAYS))(
    'by %s leaves nothing on the server, and ends, whatever it is about',
    async (how, stop) => {
      for (const [at, state] of states.entries()) {
        const server = servers[at]!;
        const ended = await run(state, stop, server, false);
        expect({ state, ...ended }).toMatchObject({ state, stderr: '' });
        endedWell(ended, how, 1_000);
        expect({ state, left: await server.cli('keys', 'mine*') }).toEqual({ state, left: '' });
      }
    },
    ALL_STATES,
  );

  it.each(Object.entries(WAYS))(
    'by %s gives back what it holds, though nobody catches what fails',
    async (how, stop) => {
      const [server] = servers as [RedisServer];
      await server.cli('set', 'busy', "somebody's", 'px', '600000');
      for (const state of Object.keys(UNCAUGHT)) {
        const ended = await runScript(uncaught(state, stop), {
          env: { LOCK_PROVIDER: 'redis', REDIS_ENDPOINTS: `${server.host}:${server.port}` },
          limit: 60_000,
        });
        const left = await server.cli('keys', 'mine*');
        const end = how === 'stop' ? { code: 1 } : { signal: 'SIGTERM' };
        expect({ state, ...ended, left }).toMatchObject({ state, timedOut: false, ...end, left: '' });
        expect(ended.stderr).toContain('lock factory');
      }
      await server.cli('del', 'busy');
    },
  );

  it.each(Object.entries(WAYS))(
    'by %s ends in time, whatever it is about, when the server is silent',
    async (how, stop) => {
      const endings = await Promise.all(states.map((state, at) => run(state, stop, servers[at]!, true)));
      for (const server of servers) server.resume();
      for (const [at, state] of states.entries()) {
        expect({ state, timedOut: endings[at]!.timedOut }).toEqual({ state, timedOut: false });
        endedWell(endings[at]!, how, CLOSE_LIMIT);
      }
    },
    ALL_STATES,
  );
});
