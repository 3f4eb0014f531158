import { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { InvalidArgumentError, NotReadyError } from '../../src/errors.js';
import { Ioc, IocObject } from '../../src/ioc/index.js';
import { type Host, type SignalOptions, stopOnSignals } from '../../src/ioc/signals.js';
import { runScript } from '../support/child.js';
import { eventually } from '../support/time.js';

class FakeProcess extends EventEmitter {
  readonly pid = 4711;
  readonly ended: unknown[] = [];
  stderrText = '';
  readonly stderr = { write: (text: string) => (this.stderrText += text) };
  kill(pid: number, signal: string) {
    this.ended.push([pid, signal]);
  }
  exit(code: number) {
    this.ended.push(code);
  }
  heard() {
    return ['SIGINT', 'SIGTERM'].map((signal) => this.listenerCount(signal));
  }
}

let host: FakeProcess;
let stop: jest.Mock<(options: { signal: AbortSignal }) => Promise<void>>;
beforeEach(() => {
  host = new FakeProcess();
  stop = jest.fn(async () => {});
});

function listen(options: SignalOptions = {}) {
  return stopOnSignals({ stop }, options, host as unknown as Host);
}

function raise(signal: string): void {
  host.emit(signal, signal);
}

const EXIT = [[4711, 'SIGTERM'], 143];

describe('a signal', () => {
  it('stops the container and then ends the process by that signal', async () => {
    let done = () => {};
    stop.mockReturnValue(new Promise((resolve) => (done = resolve)));
    listen();
    raise('SIGTERM');
    await Promise.resolve();
    expect([stop.mock.calls.length, host.ended]).toEqual([1, []]);
    done();
    await eventually(() => expect(host.ended).toEqual(EXIT));
    expect(host.heard()).toEqual([0, 0]);
  });

  it('given twice ends the process at once', () => {
    stop.mockReturnValue(new Promise(() => {}));
    listen({ limit: 50 });
    raise('SIGINT');
    raise('SIGTERM');
    expect([stop.mock.calls.length, host.ended]).toEqual([1, EXIT]);
  });

  it('ends the process by its exit code where somebody else listens too', async () => {
    host.on('SIGTERM', () => {});
    listen();
    raise('SIGTERM');
    await eventually(() => expect(host.ended).toEqual([143]));
  });

  it('bounds the stop, tells what failed, and ends the process all the same', async () => {
    stop.mockImplementation(
      ({ signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    listen({ limit: '20ms' });
    raise('SIGTERM');
    await eventually(() => expect(host.ended).toEqual(EXIT));
    expect(host.stderrText).toBe('not stopped within 20 ms\n');
  });

  it('ends the process once all are stopped that listen', async () => {
    let done = () => {};
    stop.mockReturnValueOnce(Promise.resolve()).mockReturnValueOnce(new Promise((resolve) => (done = resolve)));
    listen();
    listen();
    raise('SIGTERM');
    await eventually(() => expect(host.heard()).toEqual([1, 1]));
    await sleep(20);
    expect(host.ended).toEqual([]);
    done();
    await eventually(() => expect(host.ended.slice(0, 2)).toEqual(EXIT));
  });

  it('hears what the stop makes fail, which would end the process in the middle of it', async () => {
    let done = () => {};
    stop.mockReturnValue(new Promise((resolve) => (done = resolve)));
    listen();
    raise('SIGTERM');
    host.emit('uncaughtException', new NotReadyError('closed'));
    host.emit('uncaughtException', new RangeError('a fault'));
    expect(host.stderrText).toMatch(/^closed\nRangeError: a fault\n {4}at /);
    expect(host.ended).toEqual([]);
    done();
    await eventually(() => expect(host.ended).toEqual(EXIT));
    expect(host.listenerCount('uncaughtException')).toBe(0);
  });

  it('only stops when exit is false', async () => {
    listen({ exit: false, signals: ['SIGUSR2'] });
    expect(host.heard()).toEqual([0, 0]);
    raise('SIGUSR2');
    await eventually(() => expect(host.listenerCount('SIGUSR2')).toBe(0));
    expect(host.ended).toEqual([]);
  });

  it('is heard no more once the listeners are off', () => {
    const remove = listen();
    expect(host.heard()).toEqual([1, 1]);
    remove();
    expect(host.heard()).toEqual([0, 0]);
  });

  it.each([
    { signals: [] },
    { signals: 'SIGINT' },
    { signals: ['SIGKILL'] },
    { signals: ['SIGSTOP'] },
    { signals: ['sigint'] },
    { limit: 0 },
    { limit: 'soon' },
    { exit: 1 },
    { signal: 'SIGINT' },
    null,
  ])('is refused with wrong options: %p', (options) => {
    expect(() => listen(options as SignalOptions)).toThrow(InvalidArgumentError);
    expect(host.heard()).toEqual([0, 0]);
  });
});

describe('a container that listens', () => {
  const heard = () => process.listenerCount('SIGUSR2');
  const signals = ['SIGUSR2'] as const;

  it('listens until it is stopped, over a setup anew', async () => {
    const app = new Ioc();
    const before = heard();
    app.stopOnSignals({ signals });
    await app.setup();
    await app.setup({ force: true });
    expect(heard()).toBe(before + 1);
    await app.stop();
    expect(heard()).toBe(before);
  });

  it('listens no more when it is told so', () => {
    const before = heard();
    const remove = new Ioc().stopOnSignals({ signals });
    expect(heard()).toBe(before + 1);
    remove();
    remove();
    expect(heard()).toBe(before);
  });

  it('stops when the signal comes', async () => {
    const app = new Ioc();
    const close = jest.fn<() => void>();
    class Server extends IocObject {
      override close = close;
    }
    app.config().registry(Server);
    await app.setup();
    app.stopOnSignals({ signals, exit: false });
    process.emit('SIGUSR2', 'SIGUSR2');
    await eventually(() => expect(close).toHaveBeenCalledTimes(1));
    await eventually(() => expect(app.ready).toBe(false));
  });
});

describe('a program that listens', () => {
  const script = (body: string) => `
    import * as ioc from 'mcube-lock/ioc';
    class Server extends ioc.IocObject {
      name() { return 'server'; }
      ${body}
    }
    ioc.api().registry(Server);
    ioc.stopOnSignals({ limit: process.env.LIMIT ?? '5s' });
    await ioc.setup();
    console.log('ready');
  `;
  const serving = 'init() { this.timer = setInterval(() => {}, 1000); }';
  const killOnce = (signal: NodeJS.Signals, at = 'ready') => {
    let isSent = false;
    return (pid: number, stdout: string) => {
      if (isSent || !stdout.includes(at)) return;
      isSent = true;
      process.kill(pid, signal);
    };
  };

  it('closes its components and ends by the signal', async () => {
    const close = "async close() { await new Promise((r) => setTimeout(r, 50)); console.log('closed'); }";
    const ended = await runScript(script(`${serving} ${close}`), { onOutput: killOnce('SIGTERM') });
    expect(ended).toMatchObject({ signal: 'SIGTERM', stdout: 'ready\nclosed\n', timedOut: false });
  });

  it('ends in time when a component hangs, even one that keeps nothing alive, and says which', async () => {
    const ended = await runScript(
      script(`${serving} close() { clearInterval(this.timer); return new Promise(() => {}); }`),
      {
        onOutput: killOnce('SIGINT'),
        env: { LIMIT: '100ms' },
      },
    );
    expect(ended).toMatchObject({ signal: 'SIGINT', timedOut: false });
    expect(ended.stderr).toMatch(/component "server" of namespace "api" failed in close: abandoned/);
  });

  it('is stopped before it ends when it waits for that with AbortSignal.timeout, which keeps nothing alive', async () => {
    const ended = await runScript(`
      import * as ioc from 'mcube-lock/ioc';
      class First extends ioc.IocObject { name() { return 'first'; } close() { console.log('first closed'); } }
      class Hangs extends ioc.IocObject { name() { return 'hangs'; } close() { return new Promise(() => {}); } }
      ioc.config().registry(First);
      ioc.api().registry(Hangs);
      await ioc.setup();
      await ioc.stop({ signal: AbortSignal.timeout(100) }).catch((error) => console.log(error.code));
    `);
    expect(ended).toMatchObject({ code: 0, stdout: 'first closed\nERR_STOP\n' });
  });

  it('ends at the second signal', async () => {
    const close = "close() { console.log('closing'); return new Promise(() => {}); }";
    const [first, second] = [killOnce('SIGINT'), killOnce('SIGINT', 'closing')];
    const ended = await runScript(script(`${serving} ${close}`), {
      onOutput: (pid, stdout) => [first, second].forEach((send) => send(pid, stdout)),
      env: { LIMIT: '1m' },
    });
    expect(ended).toMatchObject({ signal: 'SIGINT', timedOut: false });
  });

  it('ends by itself when its work is done', async () => {
    const ended = await runScript(script(''), { env: { LIMIT: '1m' } });
    expect(ended).toMatchObject({ code: 0, timedOut: false });
    expect(ended.ms).toBeLessThan(20_000);
  });
});
