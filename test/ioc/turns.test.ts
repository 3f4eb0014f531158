import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { InvalidArgumentError } from '../../src/errors.js';
import { Ioc, IocObject } from '../../src/ioc/index.js';

let app: Ioc;
let log: string[];
let release: () => void;
let gate: Promise<void>;

class Slow extends IocObject {
  override async init() {
    log.push('init');
    await gate;
    log.push('started');
  }
  override async close() {
    log.push('close');
    await gate;
    log.push('closed');
  }
}

beforeEach(() => {
  app = new Ioc();
  app.config().registry(Slow);
  log = [];
  gate = Promise.resolve();
});

function hold(): void {
  gate = new Promise((resolve) => (release = resolve));
}

describe('a container', () => {
  it('is set up once, however often it is asked', async () => {
    await app.setup();
    expect(await app.setup()).toBe(app);
    expect(log).toEqual(['init', 'started']);
  });

  it('shares one setup between two that ask at once', async () => {
    hold();
    const both = [app.setup(), app.setup({ force: true })];
    await turn();
    expect(app.ready).toBe(false);
    release();
    expect(await Promise.all(both)).toEqual([app, app]);
    expect(log).toEqual(['init', 'started']);
  });

  it('fails both when they share a setup that fails', async () => {
    const failing = [1, 2].map(() => app.setup({ files: ['nowhere.toml'] }));
    const results = await Promise.allSettled(failing);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await app.setup();
    expect(app.ready).toBe(true);
  });

  it('is stopped and set up anew with force, and set up when it was not', async () => {
    await app.setup({ force: true });
    const before = app.config().get('slow');
    await app.setup({ force: true });
    expect(log).toEqual(['init', 'started', 'close', 'closed', 'init', 'started']);
    expect(app.config().get('slow')).not.toBe(before);
    expect(app.ready).toBe(true);
  });

  it('runs on when what it is to be set up with anew is wrong', async () => {
    await app.setup();
    await expect(app.setup({ force: true, files: ['nowhere.toml'] })).rejects.toThrow('nowhere.toml');
    await expect(app.setup({ force: true, values: { slow: { none: 1 } } })).rejects.toThrow('slow.none');
    expect(log).toEqual(['init', 'started']);
    expect(app.ready).toBe(true);
  });

  it('is not forgotten a forced setup right behind one that does nothing', async () => {
    await app.setup();
    await Promise.all([app.setup(), app.setup({ force: true })]);
    expect(log.filter((step) => step === 'started')).toHaveLength(2);
  });

  it('is not stopped when it is not set up', async () => {
    await app.stop();
    await app.stop();
    expect(log).toEqual([]);
  });

  it('shares one stop between two that ask at once', async () => {
    await app.setup();
    await Promise.all([app.stop(), app.stop()]);
    expect(log).toEqual(['init', 'started', 'close', 'closed']);
  });

  it('heeds the signal of each who asks for the same stop', async () => {
    await app.setup();
    hold();
    const patient = app.stop();
    await expect(app.stop({ signal: AbortSignal.timeout(5) })).rejects.toThrow(/slow.*abandoned/);
    await expect(patient).rejects.toThrow(/slow.*abandoned/);
    release();
  });

  it('finishes its setup before it stops', async () => {
    hold();
    const setup = app.setup();
    const stop = app.stop();
    await turn();
    expect(log).toEqual(['init']);
    release();
    await Promise.all([setup, stop]);
    expect(log).toEqual(['init', 'started', 'close', 'closed']);
    expect(app.ready).toBe(false);
  });

  it('finishes its stop before it is set up again', async () => {
    await app.setup();
    hold();
    const stop = app.stop();
    const setup = app.setup();
    await turn();
    expect(log).toEqual(['init', 'started', 'close']);
    release();
    await Promise.all([setup, stop]);
    expect(log).toEqual(['init', 'started', 'close', 'closed', 'init', 'started']);
    expect(app.ready).toBe(true);
  });

  it('ends as the last who asked wants it', async () => {
    await Promise.all([app.setup(), app.stop(), app.setup(), app.stop()]);
    expect(app.ready).toBe(false);
    await Promise.all([app.setup(), app.stop(), app.setup()]);
    expect(app.ready).toBe(true);
  });

  it('is stopped after a setup that nobody wanted to wait for any longer', async () => {
    hold();
    const setup = app.setup();
    await expect(app.stop({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    release();
    await setup;
    await app.setup();
    expect(log.slice(0, 3)).toEqual(['init', 'started', 'close']);
    expect(app.ready).toBe(true);
  });

  it('leaves no rejection unheard when nobody waits for a stop that fails', async () => {
    const unheard = jest.fn();
    process.on('unhandledRejection', unheard);
    class Stuck extends IocObject {
      override close() {
        throw new Error('stuck');
      }
    }
    app.config().registry(Stuck);
    hold();
    const setup = app.setup();
    await expect(app.stop({ signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow('enough');
    release();
    await setup;
    await app.stop().catch(() => {});
    for (let i = 0; i < 3; i++) await turn();
    process.off('unhandledRejection', unheard);
    expect(unheard).not.toHaveBeenCalled();
  });

  it('stops nothing after a setup that failed', async () => {
    const setup = app.setup({ files: ['nowhere.toml'] });
    const stop = app.stop();
    await expect(setup).rejects.toThrow();
    await stop;
    expect(log).toEqual([]);
  });

  it('refuses options that nobody would read', async () => {
    await expect(app.setup({ file: ['x'] } as any)).rejects.toThrow(
      /setup: found "file", expected the options files, .*; did you mean "files"\?/,
    );
    await expect(app.setup({ env: { prefxi: 'X' } } as any)).rejects.toThrow(/did you mean "prefix"/);
    await expect(app.setup(null as any)).rejects.toThrow(InvalidArgumentError);
    await expect(app.setup({ force: 'yes' } as any)).rejects.toThrow(
      'setup force: found "yes", expected true or false',
    );
    await expect(app.setup({ files: 'x' } as any)).rejects.toThrow(InvalidArgumentError);
    await expect(app.stop({ singal: 1 } as any)).rejects.toThrow(/did you mean "signal"/);
    await expect(app.stop({ signal: {} } as any)).rejects.toThrow('expected an AbortSignal');
    expect(app.ready).toBe(false);
  });
});
