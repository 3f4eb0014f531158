import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { runScript, type Ended } from '../../../support/child.js';
import { describeWithOwnRedis, startRedis, type RedisServer } from '../../../support/redis_server.js';

const HEAD = `
  import { Redis } from 'ioredis';
  import { ioc, lock } from 'mcube-lock';
  const client = new Redis(process.env.URL);
  const busy = (ms) => { const end = performance.now() + ms; while (performance.now() < end); };
  const say = (fields) => console.log(JSON.stringify(fields));`;

/** Node's switch for a process that may start no thread, as this Node spells it. */
const PERMISSION = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission';

// The built package in processes of their own: the thread is a file of it.
describeWithOwnRedis('renewal on redis from a thread of its own', () => {
  let server: RedisServer;

  beforeAll(async () => {
    server = await startRedis({ password: 'a secret' });
  });
  afterAll(() => server.stop());

  async function run(source: string, env: Record<string, string> = {}): Promise<Record<string, unknown>[]> {
    const ended: Ended = await runScript(HEAD + source, { env: { URL: server.url, ...env }, limit: 60_000 });
    expect([ended.code, ended.stderr]).toEqual([0, '']);
    return ended.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  it('an event loop that is busy for three times the ttl does not lose the lock, by one word of configuration', async () => {
    const env = { REDIS_ENDPOINTS: `${server.host}:${server.port}`, REDIS_PASSWORD: 'a secret' };
    const said = await run(
      `await ioc.developmentSetup();
       const mine = lock.L().new('busy', '2s', { renew: true });
       await mine.lock();
       for (let n = 0; n < 3; n += 1) {
         busy(6_500);
         say({ held: mine.held, aborted: mine.signal.aborted, inTime: mine.remaining() > 0 });
         say({ token: (await client.get('busy')) === mine.token, left: await client.pttl('busy') > 0 });
       }
       const { rounds, leases, leastLeft } = lock.L().renewal;
       say({ rounds: rounds >= 15, leases, leastLeft: leastLeft > 0 });
       await mine.unlock();
       say({ exists: await client.exists('busy') });
       await ioc.stop();
       client.disconnect();`,
      { ...env, LOCK_PROVIDER: 'redis', LOCK_RENEWAL_THREAD: 'true' },
    );
    const round = [
      { held: true, aborted: false, inTime: true },
      { token: true, left: true },
    ];
    expect(said).toEqual([...round, ...round, ...round, { rounds: true, leases: 1, leastLeft: true }, { exists: 0 }]);
  }, 60_000);

  it('what is lost meanwhile does not count as held in the very next statement', async () => {
    const said = await run(
      `const locks = lock.open({ provider: 'redis', client, renewalThread: true });
       await locks.ready;
       const mine = locks.new('lost', '2s', { renew: true });
       await mine.lock();
       await client.set('lost', 'stolen');
       busy(1_500);
       try { mine.assertHeld(); } catch ({ name, reason }) { say({ held: mine.held, name, reason }); }
       say({ refused: await mine.unlock().catch(({ code }) => code), value: await client.get('lost') });
       await client.del('lost');
       const maxed = await locks.new('maxed', '1s', { renew: true, maxHold: '2s' }).lock();
       busy(4_000);
       try { maxed.assertHeld(); } catch ({ reason }) { say({ reason, exists: await client.exists('maxed') }); }
       await locks.close();
       client.disconnect();`,
    );
    expect(said).toEqual([
      { held: false, name: 'LockLostError', reason: 'taken' },
      { refused: 'ERR_LOCK_NOT_HELD', value: 'stolen' },
      { reason: 'maxHold', exists: 0 },
    ]);
  }, 60_000);

  it('of 1,000 locks costs at most 10 commands a round', async () => {
    const [said] = await run(
      `const locks = lock.open({ provider: 'redis', client, renewalThread: true });
       await locks.ready;
       const held = await Promise.all(Array.from({ length: 1_000 }, (_, n) => locks.new('k ' + n, '6s', { renew: true }).lock()));
       const calls = async () => Number(/cmdstat_evalsha:calls=(\\d+)/.exec(await client.info('commandstats'))[1]);
       const rounds = async (n) => { while (locks.renewal.rounds < n) await new Promise((done) => setTimeout(done, 20)); };
       await rounds(2);
       await new Promise((done) => setTimeout(done, 500));
       const [from, before] = [locks.renewal.rounds, await calls()];
       await rounds(from + 2);
       await new Promise((done) => setTimeout(done, 500));
       const perRound = ((await calls()) - before) / (locks.renewal.rounds - from);
       say({ few: perRound <= 10, many: perRound >= 8, held: held.every((one) => one.held), leases: locks.renewal.leases });
       await locks.close();
       client.disconnect();`,
    );
    expect(said).toEqual({ few: true, many: true, held: true, leases: 1_000 });
  }, 60_000);

  it.each([
    ['holds nothing', ''],
    ['holds a lock', `await locks.new('kept', '10s', { renew: true }).lock();`],
    ['has waited for a refresh', `await (await locks.new('r', '10s', { renew: true }).lock()).refresh();`],
  ])(
    'keeps no process alive that %s',
    async (_, what) => {
      expect(
        await run(
          `client.disconnect();
         const locks = lock.open({ provider: 'redis', client, renewalThread: true });
         await locks.ready;
         ${what}
         say({ done: true });`,
        ),
      ).toEqual([{ done: true }]);
    },
    20_000,
  );

  it('goes on here, with a warning, where no thread may be started', async () => {
    const [said] = await run(
      `const warnings = [];
       process.on('warning', ({ code }) => warnings.push(code));
       process.removeAllListeners('warning').on('warning', ({ code }) => warnings.push(code));
       const locks = lock.open({ provider: 'redis', client, renewalThread: true });
       await locks.ready;
       const mine = await locks.new('here', '1s', { renew: true }).lock();
       await new Promise((done) => setTimeout(done, 3_000));
       say({ held: mine.held, warnings });
       await locks.close();
       client.disconnect();`,
      { NODE_OPTIONS: `${PERMISSION} --allow-fs-read=* --disable-warning=ExperimentalWarning` },
    );
    expect(said).toEqual({ held: true, warnings: ['LOCK_RENEWAL_THREAD'] });
  }, 20_000);

  it('is refused where a client cannot be made again: the message names the option', () => {
    const client = new Redis({ lazyConnect: true, tls: { checkServerIdentity: () => undefined } });
    expect(() => lock.open({ provider: 'redis', client, renewalThread: true })).toThrow(
      /renewalThread.*the option tls\.checkServerIdentity of the redis client is a function/,
    );
    client.disconnect();
  });
});
