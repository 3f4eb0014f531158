import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import {
  CloseError,
  ConfigError,
  inject,
  integer,
  Ioc,
  IocObject,
  refuse,
  StartError,
  StopError,
  table,
  text,
  list,
} from '../../src/ioc/index.js';

const HOOKS = ['onPostConfig', 'onPreInit', 'init', 'onPostInit', 'onPreStop', 'close', 'onPostStop'] as const;
type Hook = (typeof HOOKS)[number];

let app: Ioc;
let log: string[];
beforeEach(() => {
  app = new Ioc();
  log = [];
});

/** A component that notes each step, later when it is asynchronous; `faults` has what a step throws. */
function noted(
  name: string,
  options: { priority?: number; async?: boolean; faults?: Partial<Record<Hook, unknown>> } = {},
) {
  const { priority = 0, faults = {} } = options;
  class Noted extends IocObject {
    override name() {
      return name;
    }
    override priority() {
      return priority;
    }
  }
  for (const hook of HOOKS) {
    const step = () => {
      log.push(`${name}.${hook}`);
      if (hook in faults) throw faults[hook];
    };
    const value = options.async ? () => turn().then(step) : step;
    Object.defineProperty(Noted.prototype, hook, { value });
  }
  return Noted;
}

async function failure(run: Promise<unknown>): Promise<any> {
  return run.then(
    () => undefined,
    (error: unknown) => error,
  );
}

describe('setup and stop', () => {
  it('go through all steps in order, everything awaited', async () => {
    app.api().registry(noted('api', { async: true }));
    app.config().registry(noted('low', { priority: -1 }), noted('first', { async: true }), noted('second'));
    app.namespace('between', 5).registry(noted('own', { async: true }));
    const order = ['first', 'second', 'low', 'own', 'api'];
    expect(await app.setup()).toBe(app);
    expect(log).toEqual([
      ...order.map((name) => `${name}.onPostConfig`),
      ...order.flatMap((name) => [`${name}.onPreInit`, `${name}.init`, `${name}.onPostInit`]),
    ]);
    log = [];
    await app.stop();
    expect(log).toEqual(
      [...order].reverse().flatMap((name) => [`${name}.onPreStop`, `${name}.close`, `${name}.onPostStop`]),
    );
  });

  it('let onPostConfig see values and dependencies', async () => {
    class Base extends IocObject {
      @text({ about: 'Anything.' }) word = '';
    }
    class Sees extends IocObject {
      @inject(Base) readonly base!: Base;
      override onPostConfig() {
        log.push(this.base.word);
      }
    }
    app.config().registry(Sees, Base);
    await app.setup({ values: { base: { word: 'seen' } } });
    expect(log).toEqual(['seen']);
  });

  it('start anew with fresh objects', async () => {
    class Counting extends IocObject {
      count = 0;
      override init() {
        this.count++;
      }
    }
    app.config().registry(Counting);
    await app.setup();
    const first = app.config().load(Counting);
    await app.stop();
    await app.setup();
    const second = app.config().load(Counting);
    expect(second).not.toBe(first);
    expect([first.count, second.count]).toEqual([1, 1]);
  });

  it('give registered objects their own values back in between', async () => {
    class Pool {
      @integer({ about: 'Connections.' }) size = 5;
    }
    class Redis extends IocObject {
      @text({ about: 'Where it is.' }) endpoint = 'near';
      @list({ about: 'More of them.' }) more: string[] = ['a'];
      @table(Pool, { about: 'Its pool.' }) pool = new Pool();
    }
    const redis = new Redis();
    const pool = redis.pool;
    redis.endpoint = 'set by code';
    app.config().registry(redis);
    const values = { redis: { endpoint: 'far', more: ['b', 'c'], pool: { size: 9 } } };
    await app.setup({ values, env: { enabled: false } });
    expect([redis.endpoint, redis.more, redis.pool.size]).toEqual(['far', ['b', 'c'], 9]);
    await app.stop();
    expect([redis.endpoint, redis.more, redis.pool.size]).toEqual(['set by code', ['a'], 5]);
    expect(redis.pool).toBe(pool);
    await app.setup({ env: { enabled: false } });
    expect([redis.endpoint, redis.more, redis.pool.size]).toEqual(['set by code', ['a'], 5]);
  });
});

describe('a component that fails to start', () => {
  it.each(['onPostConfig', 'onPreInit', 'init', 'onPostInit'] as const)(
    'in %s is named, and what had started is closed in reverse',
    async (hook) => {
      const cause = new Error('boom');
      app.config().registry(noted('a'), noted('b', { async: true }));
      app.api().registry(noted('c', { async: true, faults: { [hook]: cause } }), noted('d'));
      const error = await failure(app.setup());
      expect(error).toBeInstanceOf(StartError);
      expect(error).toMatchObject({ code: 'ERR_START', namespace: 'api', component: 'c', step: hook, cause });
      expect(error.message).toBe(`component "c" of namespace "api" failed in ${hook}: boom`);
      expect(log.filter((step) => step.startsWith('d.') && step !== 'd.onPostConfig')).toEqual([]);
      const closed = { onPostConfig: [], onPreInit: ['b', 'a'], init: ['b', 'a'], onPostInit: ['c', 'b', 'a'] };
      expect(log.filter((step) => step.endsWith('.close'))).toEqual(closed[hook].map((name) => `${name}.close`));
      expect(app.ready).toBe(false);
    },
  );

  it('in its constructor is named, and not the component that has it injected', async () => {
    class Broken extends IocObject {
      constructor() {
        super();
        throw new TypeError('no such file');
      }
    }
    class Needs extends IocObject {
      @inject(Broken) readonly broken!: Broken;
    }
    app.config().registry(Needs, Broken, noted('a'));
    const error = await failure(app.setup());
    expect(error).toMatchObject({ component: 'broken', step: 'construct', cause: expect.any(TypeError) });
    expect(log).toEqual([]);
  });

  it('may throw anything', async () => {
    app.config().registry(noted('odd', { faults: { init: undefined } }));
    expect(await failure(app.setup())).toMatchObject({ component: 'odd', step: 'init' });
  });

  it('is told first, with what failed while closing the others', async () => {
    app
      .config()
      .registry(noted('a', { faults: { close: new Error('stuck') } }), noted('b', { faults: { onPreStop: 'odd' } }));
    app.api().registry(noted('c', { faults: { init: new Error('boom') } }));
    const error = await failure(app.setup());
    expect(error).toMatchObject({ component: 'c', step: 'init' });
    expect(error.closeErrors.map((one: CloseError) => [one.component, one.step])).toEqual([
      ['b', 'onPreStop'],
      ['a', 'close'],
    ]);
    expect(error.message).toBe(
      'component "c" of namespace "api" failed in init: boom\nand while closing what had started:\n' +
        '  - component "b" of namespace "config" failed in onPreStop: "odd"\n' +
        '  - component "a" of namespace "config" failed in close: stuck',
    );
  });

  it('leaves the container able to set up again, with fresh objects', async () => {
    let isBroken = true;
    const objects: IocObject[] = [];
    class Other extends IocObject {
      @text({ about: 'Anything.' }) word = 'default';
      override init() {
        objects.push(this);
      }
    }
    class Flaky extends IocObject {
      override init() {
        if (isBroken) throw new Error('not yet');
      }
    }
    app.config().registry(Other, Flaky);
    await expect(app.setup({ values: { other: { word: 'once' } } })).rejects.toThrow('not yet');
    expect(app.config().load(Other).word).toBe('default');
    isBroken = false;
    await app.setup();
    expect(app.ready).toBe(true);
    expect(objects).toHaveLength(2);
    expect(objects[0]).not.toBe(objects[1]);
    expect(app.config().load(Other).word).toBe('default');
  });

  it('because it refuses its configuration is told as that', async () => {
    class Picky extends IocObject {
      @text({ about: 'Anything.' }) word = 'default';
      override onPostConfig() {
        throw refuse(this, 'word', 'another word');
      }
    }
    app.config().registry(noted('a'), Picky);
    const error = await failure(app.setup({ values: { picky: { word: 'this' } } }));
    expect(error).toBeInstanceOf(ConfigError);
    expect(error.message).toContain('picky.word (values given in code): found "this", expected another word');
    expect(log).toEqual(['a.onPostConfig']);
  });

  it('because several refuse their configuration is told with all that they refuse', async () => {
    class Picky extends IocObject {
      @text({ about: 'Anything.' }) word = 'default';
      override onPostConfig() {
        throw refuse(this, 'word', 'another word');
      }
    }
    class Choosy extends Picky {}
    app.config().registry(Picky, noted('a'), Choosy);
    const error = (await failure(app.setup())) as ConfigError;
    expect(error.mistakes.map(({ key }) => key).sort()).toEqual(['choosy.word', 'picky.word']);
    expect(log).toEqual(['a.onPostConfig']);
  });
});

describe('stop', () => {
  it('gives every step its turn, and tells all that failed', async () => {
    app.config().registry(noted('a', { faults: { close: new Error('a stuck') } }));
    app.api().registry(noted('b', { async: true, faults: { onPreStop: new Error('b early'), close: 'b odd' } }));
    await app.setup();
    log = [];
    const error = await failure(app.stop());
    expect(log).toEqual(['b.onPreStop', 'b.close', 'b.onPostStop', 'a.onPreStop', 'a.close', 'a.onPostStop']);
    expect(error).toBeInstanceOf(StopError);
    expect(error.code).toBe('ERR_STOP');
    expect(error.errors.every((one: unknown) => one instanceof CloseError)).toBe(true);
    expect(error.errors.map((one: CloseError) => [one.code, one.namespace, one.component, one.step])).toEqual([
      ['ERR_CLOSE', 'api', 'b', 'onPreStop'],
      ['ERR_CLOSE', 'api', 'b', 'close'],
      ['ERR_CLOSE', 'config', 'a', 'close'],
    ]);
    expect(error.errors[2].cause.message).toBe('a stuck');
    expect(error.message).toBe(
      '3 of the steps to stop failed:\n' +
        '  - component "b" of namespace "api" failed in onPreStop: b early\n' +
        '  - component "b" of namespace "api" failed in close: "b odd"\n' +
        '  - component "a" of namespace "config" failed in close: a stuck',
    );
    expect(app.ready).toBe(false);
    await app.setup();
    expect(app.ready).toBe(true);
  });

  it('abandons what hangs when its signal aborts, reports it, and goes on', async () => {
    const close = jest.fn<(options: { signal: AbortSignal }) => Promise<void>>(() => new Promise(() => {}));
    class Hanging extends IocObject {
      override close = close;
    }
    app.config().registry(noted('a'));
    app.api().registry(Hanging);
    await app.setup();
    log = [];
    const controller = new AbortController();
    const stop = failure(app.stop({ signal: controller.signal }));
    await turn();
    expect([log, app.ready]).toEqual([[], false]);
    controller.abort(new Error('enough'));
    const error = await stop;
    expect(log).toEqual(['a.onPreStop', 'a.close', 'a.onPostStop']);
    expect(error.errors[0]).toMatchObject({ component: 'hanging', step: 'close' });
    expect(error.errors[0].message).toContain('abandoned: not done when the signal aborted');
    expect(error.errors[0].cause.cause.message).toBe('enough');
    expect(close.mock.calls[0]![0].signal.aborted).toBe(true);
  });

  it('whose signal has aborted before still closes what closes at once', async () => {
    app.config().registry(noted('a'), noted('b'));
    await app.setup();
    log = [];
    await app.stop({ signal: AbortSignal.abort() });
    expect(log.filter((step) => step.endsWith('close'))).toEqual(['b.close', 'a.close']);
  });

  it('whose signal has aborted before abandons what hangs', async () => {
    class Hanging extends IocObject {
      override close = () => new Promise<void>(() => {});
    }
    app.config().registry(Hanging);
    await app.setup();
    await expect(app.stop({ signal: AbortSignal.abort() })).rejects.toThrow(/hanging.*abandoned/);
  });

  it('refuses an object that is set up elsewhere, until that is stopped', async () => {
    const [shared, other] = [new (noted('a'))(), new Ioc()];
    app.config().registry(shared);
    other.config().registry(shared);
    await app.setup();
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(other.setup()).rejects.toThrow(/^component "a" of namespace "config": .*set up nowhere else/);
    }
    expect(log).not.toContain('a.close');
    await app.stop();
    await other.setup();
    await other.stop();
    const steps = ['a.init', 'a.close'];
    expect(log.filter((step) => steps.includes(step))).toEqual([...steps, ...steps]);
  });

  it('leaves no rejection unheard when a step fails at once after the signal aborted', async () => {
    const unheard = jest.fn();
    process.on('unhandledRejection', unheard);
    app.config().registry(noted('a', { faults: { close: new Error('stuck') } }));
    await app.setup();
    await expect(app.stop({ signal: AbortSignal.abort() })).rejects.toThrow('stuck');
    for (let i = 0; i < 3; i++) await turn();
    process.off('unhandledRejection', unheard);
    expect(unheard).not.toHaveBeenCalled();
  });

  it('hears no more of what it abandoned', async () => {
    let fail = (_: Error) => {};
    class Hanging extends IocObject {
      override close(): Promise<void> {
        return new Promise((_, reject) => (fail = reject));
      }
    }
    app.config().registry(Hanging);
    await app.setup();
    await expect(app.stop({ signal: AbortSignal.timeout(5) })).rejects.toThrow(StopError);
    fail(new Error('too late'));
    await turn();
  });

  it('leaves no listener on its signal', async () => {
    const { signal } = new AbortController();
    const remove = jest.spyOn(signal, 'removeEventListener');
    const add = jest.spyOn(signal, 'addEventListener');
    app.config().registry(noted('a', { async: true }));
    await app.setup();
    await app.stop({ signal });
    await app.stop({ signal });
    expect(remove.mock.calls.length).toBe(add.mock.calls.length);
  });
});
