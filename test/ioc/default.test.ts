import { beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidArgumentError } from '../../src/errors.js';
import * as ioc from '../../src/ioc/index.js';

class Shared extends ioc.IocObject {
  @ioc.text({ about: 'Anything.' }) word = 'default';
}
class Mine extends ioc.IocObject {
  override name() {
    return 'shared';
  }
}
class Late extends ioc.IocObject {
  @ioc.integer({ about: 'Anything.', max: 5 }) n = 1;
}

ioc.component('config', Shared);

beforeEach(() => ioc.stop());

describe('the functions of the module', () => {
  it('work on the container that the process shares', async () => {
    expect(ioc.config()).toBe(ioc.defaultIoc.config());
    expect([ioc.default(), ioc.controller(), ioc.api()].map(({ name }) => name)).toEqual([
      'default',
      'controller',
      'api',
    ]);
    expect(ioc.namespace('jobs', 3)).toBe(ioc.defaultIoc.namespace('jobs'));
    expect(await ioc.setup({ values: { shared: { word: 'given' } } })).toBe(ioc.defaultIoc);
    expect(ioc.config().get<Shared>('shared').word).toBe('given');
    expect(ioc.dependencies().map(({ name }) => name)).toEqual(['shared']);
    let printed = '';
    ioc.printDependencies((text) => (printed += text));
    expect(printed).toBe('config\n└─ shared v1 (Shared)\n');
    expect(ioc.defaultIoc.ready).toBe(true);
    await ioc.stop();
    expect(ioc.defaultIoc.ready).toBe(false);
  });
});

describe('a built-in component', () => {
  it('is in the shared container at once, and in others from their setup on', async () => {
    expect(ioc.config().list()).toContain('shared.v1');
    const app = new ioc.Ioc();
    expect(app.config().len()).toBe(0);
    await app.setup();
    expect(app.config().list()).toEqual(['shared.v1']);
    expect(app.config().get('shared')).not.toBe(ioc.config().get('shared'));
  });

  it('makes way for one that has its name', async () => {
    const app = new ioc.Ioc();
    app.config().registry(Mine);
    await app.setup();
    expect(app.config().get('shared')).toBeInstanceOf(Mine);
  });

  it('that comes while the container runs is there from the next setup on', async () => {
    await ioc.setup();
    ioc.component('default', Late);
    expect(ioc.default().len()).toBe(0);
    await expect(ioc.setup({ force: true, values: { late: { n: 9 } } })).rejects.toThrow('late.n');
    expect(ioc.defaultIoc.ready).toBe(true);
    await ioc.setup({ force: true, values: { late: { n: 2 } } });
    expect(ioc.default().list()).toEqual(['late.v1']);
    expect(ioc.default().get<Late>('late').n).toBe(2);
  });

  it('is a class', () => {
    expect(() => ioc.component('config', new Late() as any)).toThrow(InvalidArgumentError);
    expect(() => ioc.component('config', Date as any)).toThrow(InvalidArgumentError);
    expect(() => ioc.component('No Name', Late)).toThrow(InvalidArgumentError);
  });
});

describe('two containers', () => {
  it('share nothing', async () => {
    const [one, other] = [new ioc.Ioc(), new ioc.Ioc()];
    class Own extends ioc.IocObject {
      @ioc.text({ about: 'Anything.' }) word = 'default';
    }
    one.config().registry(Own);
    other.config().registry(Own);
    await Promise.all([
      one.setup({ values: { own: { word: 'one' } } }),
      other.setup({ values: { own: { word: 'other' } } }),
    ]);
    expect([one.config().load(Own).word, other.config().load(Own).word]).toEqual(['one', 'other']);
    expect(one.container).not.toBe(other.container);
    await one.stop();
    expect([one.ready, other.ready]).toEqual([false, true]);
  });
});
