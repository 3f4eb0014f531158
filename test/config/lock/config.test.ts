import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { ConfigError, ioc, lock, NotReadyError } from 'mcube-lock';
import { runScript } from '../../support/child.js';
import { sharedRedis, uniquePrefix } from '../../support/redis_server.js';
import { tempDir } from '../../support/temp_dir.js';
import { undisturbed } from '../../support/time.js';

/** A second, and room for a busy machine: what a process waits for takes longer than that. */
const SOON = 2_500;

const ENV = ['LOCK_PROVIDER', 'APP_LOCK_PROVIDER', 'LOCK_PREFIX', 'REDIS_ENDPOINTS'] as const;

describe('the component lock', () => {
  let container: ioc.Ioc;
  const { host, port } = sharedRedis();
  const redis = { endpoints: [`${host}:${port}`] };

  beforeEach(() => {
    container = new ioc.Ioc();
  });
  afterEach(async () => {
    await container.stop();
    for (const name of ENV) delete process.env[name];
  });

  it('L() before setup and after stop says what to call', async () => {
    expect(() => lock.L()).toThrow(NotReadyError);
    expect(() => lock.L()).toThrow(/developmentSetup\(\)/);
    expect(() => lock.L(container)).toThrow(NotReadyError);
    await container.setup();
    expect(lock.L(container).provider).toBe('go_cache');
    await container.stop();
    expect(() => lock.L(container)).toThrow(NotReadyError);
  });

  it('needs no file at all, and gives locks in memory then', async () => {
    await using dir = await tempDir({});
    await container.setup({ cwd: dir.path, files: ['etc/application.toml'], skipMissing: true });
    const locker = lock.L(container).new('test', '10s');
    expect(await locker.lock()).toBe(locker);
    await locker.unlock();
  });

  it('L() is a singleton of its container', async () => {
    await container.setup();
    expect(lock.L(container)).toBe(lock.L(container));
    expect(lock.get(container)).toBe(container.config().get('lock'));
    expect(ioc.builtIn(container, 'lock')).toBe(lock.get(container));
  });

  it('L() of what is no container is refused', () => {
    for (const none of ['redis', {}, null, 5])
      expect(() => lock.L(none as never)).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_ARGUMENT', message: expect.stringMatching(/^container: found /) }),
      );
  });

  it('L() of a container where another component has its name says which', async () => {
    class Lock extends ioc.IocObject {}
    container.config().registry(Lock);
    await container.setup();
    for (const find of [lock.L, lock.get])
      expect(() => find(container)).toThrow(
        /^component "lock" of namespace "config": found .*Lock.*, expected LockConfig/,
      );
  });

  it('L() of a container that was set up before the locks were imported says what to do', async () => {
    const { stdout } = await runScript(`
      import * as ioc from 'mcube-lock/ioc';
      await ioc.setup();
      const lock = await import('mcube-lock/lock');
      try { lock.L(); } catch (error) { console.log(error.code, error.message); }
      await ioc.setup({ force: true });
      console.log(lock.L().provider);
      await ioc.stop();
    `);
    expect(stdout).toMatch(
      /^ERR_NOT_READY lock: .* import it first, or call `setup\(\{ force: true \}\)`\ngo_cache\n$/,
    );
  });

  it('get() shows its defaults before setup, and L() says what to call', () => {
    expect(lock.get(container)).toMatchObject({ provider: 'go_cache', prefix: '' });
    expect(() => lock.L(container)).toThrow(
      new NotReadyError(
        'lock: there are no locks before setup and after stop; call `await ioc.developmentSetup()`, or `setup()` of your own container',
      ),
    );
  });

  it('one word in the file moves it to redis, and keys are found there', async () => {
    const prefix = uniquePrefix();
    await using dir = await tempDir({});
    const file = join(dir.path, 'application.toml');
    const text = (provider: string): string =>
      `[lock]\nprovider = "${provider}"\nprefix = "${prefix}"\n[redis]\nendpoints = ["${host}:${port}"]\n`;
    const client = new Redis({ host, port });
    for (const [provider, stored] of [
      ['go_cache', 0],
      ['redis', 1],
    ] as const) {
      await writeFile(file, text(provider));
      await container.developmentSetupWithPath(file);
      expect(lock.L(container).provider).toBe(provider);
      await using held = await lock.L(container).new('k', '10s').lock();
      expect(held.held).toBe(true);
      expect(await client.exists(`${prefix}k`)).toBe(stored);
      await held.unlock();
      await container.stop();
    }
    await client.quit();
  });

  it('the environment wins over the file, and values in code over the environment', async () => {
    await using dir = await tempDir({ 'a.toml': '[lock]\nprovider = "go_cache"\n' });
    const file = join(dir.path, 'a.toml');
    process.env['LOCK_PROVIDER'] = 'redis';
    await container.developmentSetupWithPath(file);
    expect(lock.L(container).provider).toBe('redis');
    await container.setup({ files: [file], values: { lock: { provider: 'go_cache' } }, force: true });
    expect(lock.L(container).provider).toBe('go_cache');
    delete process.env['LOCK_PROVIDER'];
    process.env['APP_LOCK_PROVIDER'] = 'redis';
    await container.setup({ files: [file], env: { prefix: 'APP' }, force: true });
    expect(lock.L(container).provider).toBe('redis');
  });

  it('redis starts only when it is chosen, and then with the first lock', async () => {
    const silent = { endpoints: ['127.0.0.1:1'] };
    await container.setup({ values: { redis: silent } });
    await (await lock.L(container).new('k', '1s').lock()).unlock();
    await container.setup({
      values: { redis: { ...silent, command_timeout: '100ms' }, lock: { provider: 'redis' } },
      force: true,
    });
    await expect(lock.L(container).new('k', '1s').tryLock()).rejects.toBeInstanceOf(lock.ProviderUnreachableError);
  });

  it.each([
    [{ provider: 'etcd' }, /lock\.provider.*"etcd".*"go_cache".*"redis"/s],
    [{ provider: 'rediss' }, /did you mean .redis/],
    [{ provider: 7 }, /lock\.provider/],
    [{ providr: 'redis' }, /did you mean .provider/],
    [{ prefix: 5 }, /lock\.prefix/],
    [{ wait: 'long' }, /lock\.wait/],
    [{ poll_min: '0s' }, /lock\.poll_min/],
    [{ poll_min: '2s', poll_max: '1s' }, /lock\.poll_max/],
    [{ poll_min: '2s' }, /lock\.poll_min.* at most poll_max, 250 ms/],
    [{ batch_cap: 0 }, /lock\.batch_cap/],
    [{ yield: 'often' }, /lock\.yield/],
  ])('%j is refused at setup, and nothing is started', async (section, message) => {
    const setup = container.setup({ values: { lock: section } });
    await expect(setup).rejects.toBeInstanceOf(ConfigError);
    await expect(container.setup({ values: { lock: section } })).rejects.toThrow(message);
    expect(() => lock.L(container)).toThrow(NotReadyError);
    await container.setup();
    expect(lock.L(container).provider).toBe('go_cache');
  });

  it('the yield that is configured reaches the provider: a contended key is let be free', async () => {
    const prefix = uniquePrefix();
    await container.setup({ values: { lock: { provider: 'redis', prefix, yield: true }, redis } });
    const client = new Redis({ host, port });
    // What tells it is there for 100 ms.
    await undisturbed(20, async () => {
      const held = await lock.L(container).new('k', '60s').lock();
      const next = lock.L(container).new('k', '60s', { token: prefix }).lock();
      await client.ping();
      await held.unlock();
      const told = await client.exists(`${prefix}k:~qy`);
      await (await next).unlock();
      expect(told).toBe(1);
    });
    await client.quit();
  });

  it('the wait that is configured holds for locks that say nothing', async () => {
    await container.setup({ values: { lock: { wait: '50ms' } } });
    await lock.L(container).new('k', '10s').lock();
    await expect(lock.L(container).new('k', '10s').lock()).rejects.toBeInstanceOf(lock.NotObtainedError);
    const patient = lock.L(container).new('k', '10s', { wait: '5s' }).lock();
    await container.stop();
    await expect(patient).rejects.toBeInstanceOf(NotReadyError);
  });

  it('stop releases every lock that is held and rejects every wait', async () => {
    const prefix = uniquePrefix();
    await container.setup({ values: { lock: { provider: 'redis', prefix }, redis } });
    const held = await lock.L(container).new('k', '60s').lock();
    const waiting = expect(lock.L(container).new('k', '60s').lock()).rejects.toBeInstanceOf(NotReadyError);
    await container.stop();
    await waiting;
    expect(held.held).toBe(false);
    const client = new Redis({ host, port });
    expect(await client.exists(`${prefix}k`)).toBe(0);
    await client.quit();
  });

  it('two containers share nothing in memory', async () => {
    await using other = { container: new ioc.Ioc(), [Symbol.asyncDispose]: () => other.container.stop() };
    await Promise.all([container.setup(), other.container.setup()]);
    const [one, two] = [lock.L(container).new('k', '10s'), lock.L(other.container).new('k', '10s')];
    await Promise.all([one.tryLock(), two.tryLock()]);
    expect([one.held, two.held]).toEqual([true, true]);
    await container.stop();
    expect([one.held, two.held]).toEqual([false, true]);
  });

  it('shows no secret when it is printed', async () => {
    await container.setup({ values: { redis: { ...redis, password: 'hunter2' } } });
    const shown = inspect([lock.get(container), lock.L(container), container.config().get('redis')], {
      depth: 8,
      showHidden: true,
    });
    expect(shown).not.toContain('hunter2');
  });
});

describe('a program of ten lines', () => {
  const program = `
    import { ioc, lock } from 'mcube-lock';
    await ioc.developmentSetup();
    const locker = lock.L().new('test', '10s');
    await locker.lock();
    console.log(lock.L().provider, locker.held);
    await locker.unlock();
    console.log(locker.held, process.env.REDIS_ENDPOINTS ?? 'unset');
  `;

  it('works without any file, and ends by itself within a second', async () => {
    const ended = await runScript(program, { env: { LOCK_PROVIDER: undefined } });
    expect(ended).toMatchObject({ code: 0, stderr: '', stdout: 'go_cache true\nfalse unset\n', timedOut: false });
  });

  it('works on redis by one variable, and ends by itself within a second', async () => {
    const { host, port } = sharedRedis();
    const source = `${program}\nconst done = performance.now(); process.on('exit', () => console.log(performance.now() - done < ${SOON}));`;
    const files = { '.env': `REDIS_ENDPOINTS=${host}:${port}\n` };
    const ended = await runScript(source, { files, env: { LOCK_PROVIDER: 'redis', REDIS_ENDPOINTS: undefined } });
    expect(ended).toMatchObject({ code: 0, stderr: '', stdout: 'redis true\nfalse unset\ntrue\n' });
  });

  it.each(['go_cache', 'redis'])(
    'ends by itself on %s with a lock held, a signal watched and a renewal on',
    async (provider) => {
      const { host, port } = sharedRedis();
      const source = `
      import { ioc, lock } from 'mcube-lock';
      await ioc.developmentSetup();
      const held = await lock.L().new('left ${uniquePrefix()}', '5s', { renew: true }).lock();
      held.signal.addEventListener('abort', () => console.log('lost'));
      const done = performance.now(); process.on('exit', () => console.log(performance.now() - done < ${SOON}));`;
      const env = { LOCK_PROVIDER: provider, REDIS_ENDPOINTS: `${host}:${port}` };
      expect(await runScript(source, { env })).toMatchObject({ code: 0, stderr: '', stdout: 'true\n' });
    },
  );

  it('ends by itself within a second after a Redis that never answered', async () => {
    const source = `
      import { ioc, lock } from 'mcube-lock';
      await ioc.developmentSetup();
      await lock.L().new('k', '5s').lock({ wait: '200ms' }).catch((error) => console.log(error.code));
      const done = performance.now(); process.on('exit', () => console.log(performance.now() - done < ${SOON}));`;
    const env = { LOCK_PROVIDER: 'redis', REDIS_ENDPOINTS: '127.0.0.1:1' };
    const ended = await runScript(source, { env });
    expect(ended).toMatchObject({ code: 0, stderr: '', stdout: 'ERR_LOCK_PROVIDER_UNREACHABLE\ntrue\n' });
  });

  it('ends by itself when it only imports the package', async () => {
    // What keeps it alive would do so for good.
    const ended = await runScript(`import * as all from 'mcube-lock'; console.log(Object.keys(all).length > 10);`);
    expect(ended).toMatchObject({ code: 0, stderr: '', stdout: 'true\n' });
  });
});
