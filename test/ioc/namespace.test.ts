import { beforeEach, describe, expect, it } from '@jest/globals';
import { InvalidArgumentError } from '../../src/errors.js';
import {
  ContainerRunningError,
  DuplicateObjectError,
  inject,
  Ioc,
  IocObject,
  ObjectNotFoundError,
  text,
} from '../../src/ioc/index.js';

class Named extends IocObject {
  @text({ about: 'Anything.' }) word = 'default';
  constructor(
    private readonly named: string,
    private readonly of: string = 'v1',
    private readonly order = 0,
  ) {
    super();
  }
  override name() {
    return this.named;
  }
  override version() {
    return this.of;
  }
  override priority() {
    return this.order;
  }
}
class Cache extends IocObject {}
class CacheV2 extends Cache {
  override name() {
    return 'cache';
  }
  override version() {
    return 'v2';
  }
}
abstract class Shape extends IocObject {
  abstract sides(): number;
}
class Square extends Shape {
  sides() {
    return 4;
  }
}
class Triangle extends Shape {
  override priority() {
    return 1;
  }
  sides() {
    return 3;
  }
}

let app: Ioc;
beforeEach(() => {
  app = new Ioc();
});

describe('namespaces', () => {
  it('are config, default, controller and api, which start in that order', () => {
    const four = [app.config(), app.default(), app.controller(), app.api()];
    expect(four.map(({ name, priority }) => [name, priority])).toEqual([
      ['config', 99],
      ['default', 9],
      ['controller', 0],
      ['api', -99],
    ]);
  });

  it('of one own are made once, with a priority of 0 unless told', () => {
    expect(app.namespace('jobs', 5)).toBe(app.namespace('jobs'));
    expect(app.namespace('jobs', 5).priority).toBe(5);
    expect(app.namespace('others').priority).toBe(0);
    expect(app.namespace('config')).toBe(app.config());
  });

  it('keep their priority', () => {
    app.namespace('jobs', 5);
    expect(() => app.namespace('jobs', 6)).toThrow('priority: found 6, expected 5, which namespace "jobs" has already');
    expect(() => app.namespace('config', 1)).toThrow(InvalidArgumentError);
  });

  it.each([
    ['', 1] as const,
    ['Two Words', 1] as const,
    ['a.b', 1] as const,
    [undefined, 1] as const,
    ['x', NaN] as const,
    ['x', '1'] as const,
    ['x', Infinity] as const,
  ])('need a word and a number: %p, %p', (name, priority) => {
    expect(() => app.namespace(name as string, priority as number)).toThrow(InvalidArgumentError);
  });
});

describe('registering', () => {
  it('takes classes and objects, several at once, and gives the namespace back', () => {
    const object = new Named('one');
    expect(app.config().registry(Cache, object, Square)).toBe(app.config());
    expect(app.config().list()).toEqual(['cache.v1', 'one.v1', 'square.v1']);
    expect(app.config().len()).toBe(3);
    expect(app.config().get('one')).toBe(object);
    expect(app.config().get('cache')).toBeInstanceOf(Cache);
  });

  it('of a class does not construct it', () => {
    let built = 0;
    class Counted extends IocObject {
      constructor() {
        super();
        built++;
      }
    }
    app.config().registry(Counted);
    expect([app.config().list(), built]).toEqual([['counted.v1'], 0]);
    expect(app.config().get('counted')).toBe(app.config().get('counted'));
    expect(built).toBe(1);
  });

  it('puts a higher version in the place of a lower one', () => {
    app.config().registry(Cache).registry(CacheV2);
    expect(app.config().list()).toEqual(['cache.v2']);
    expect(app.config().get('cache')).toBeInstanceOf(CacheV2);
  });

  it('refuses the same version and a lower one', () => {
    app.config().registry(new Named('x', 'v1.10'));
    for (const version of ['v1.10', 'v1.10.0', 'v1.9', 'v0.99.99']) {
      expect(() => app.config().registry(new Named('x', version))).toThrow(DuplicateObjectError);
    }
    expect(() => app.config().registry(new Named('x', 'v1'))).toThrow(
      '"x" is registered in namespace "config" with version v1.10 (class Named); class Named has version v1, ' +
        'and only a higher one takes its place',
    );
    expect(app.config().registry(new Named('x', 'v2')).list()).toEqual(['x.v2']);
    app.api().registry(new Named('x', 'v1'));
  });

  it('takes all of several or none', () => {
    expect(() => app.config().registry(Cache, Square, Cache)).toThrow(DuplicateObjectError);
    expect(() => app.config().registry(Cache, {} as IocObject)).toThrow(InvalidArgumentError);
    expect(app.config().len()).toBe(0);
  });

  it.each([undefined, null, 'cache', 7, {}, [], () => {}, Date, new Date(), IocObject])(
    'refuses what is no component: %p',
    (wrong) => {
      expect(() => app.config().registry(wrong as IocObject)).toThrow(InvalidArgumentError);
      expect(() => app.config().registry(wrong as IocObject)).toThrow(
        /expected a class that extends IocObject, or an object/,
      );
    },
  );

  it.each(['', 'Cache', 'two words', '1st', 'a.b', 'a-b', 'é', undefined, 7])('refuses the name %p', (name) => {
    expect(() => app.config().registry(new Named(name as string))).toThrow(
      /Named.name\(\): found .* a word in snake_case/,
    );
  });

  it.each(['', '1', 'v', 'newest', undefined])('refuses the version %p', (version) => {
    expect(() => app.config().registry(Object.assign(new Named('x'), { version: () => version }))).toThrow(
      /Named.version\(\): found .* v and numbers/,
    );
  });

  it.each([NaN, Infinity, '5', null])('refuses the priority %p', (priority) => {
    expect(() => app.config().registry(new Named('x', 'v1', priority as number))).toThrow(
      /Named.priority\(\): found .* a finite number/,
    );
  });

  it('refuses a class whose name comes from a field, and says that an object would do', () => {
    class Lazy extends IocObject {
      #name = 'lazy';
      override name() {
        return this.#name;
      }
    }
    expect(() => app.config().registry(Lazy)).toThrow(
      /Lazy.name\(\): .* asked before the object exists .* register an object/,
    );
    expect(app.config().registry(new Lazy()).list()).toEqual(['lazy.v1']);
  });

  it('refuses a class with plain constructor arguments, and takes an object of it', () => {
    expect(() => app.config().registry(Named as any)).toThrow(
      /class Named: found a function, expected @inject on every argument of its constructor, or an object of it/,
    );
    class Tagged extends IocObject {
      constructor(
        @inject(Cache) readonly cache: Cache,
        readonly other: string,
      ) {
        super();
      }
    }
    expect(() => app.config().registry(Tagged)).toThrow(InvalidArgumentError);
  });

  it('is over once setup has begun, until stop is done', async () => {
    class Late extends IocObject {
      override init() {
        expect(() => app.config().registry(Square)).toThrow(ContainerRunningError);
      }
      override close() {
        expect(() => app.config().registry(Square)).toThrow(ContainerRunningError);
      }
    }
    app.config().registry(Late);
    const setup = app.setup();
    expect(() => app.config().registry(Square)).toThrow(ContainerRunningError);
    await setup;
    expect(() => app.config().registry(Square)).toThrow(
      'cannot register in namespace "config": the container is set up; register before setup() or after stop()',
    );
    await app.stop();
    expect(app.config().registry(Square).len()).toBeGreaterThan(1);
  });
});

describe('looking up', () => {
  it('gives an object with its default values before setup', () => {
    app.config().registry(new Named('x'));
    expect(app.config().get<Named>('x').word).toBe('default');
  });

  it('gives the same object before setup and after it, with its values then', async () => {
    class Words extends IocObject {
      @text({ about: 'Anything.' }) word = 'default';
    }
    app.config().registry(Words);
    const before = app.config().get<Words>('words');
    await app.setup({ values: { words: { word: 'given' } } });
    expect(app.config().get('words')).toBe(before);
    expect(before.word).toBe('given');
    await app.stop();
  });

  it('of what is not there names what is, and what was probably meant', () => {
    app.config().registry(Cache, Square);
    expect(() => app.config().get('cahce')).toThrow(ObjectNotFoundError);
    expect(() => app.config().get('cahce')).toThrow(
      'no component "cahce" in namespace "config"; did you mean "cache"?; registered: cache.v1, square.v1',
    );
    expect(() => app.api().get('cache')).toThrow('no component "cache" in namespace "api"; registered: nothing');
    for (const wrong of [undefined, 7, Cache]) {
      expect(() => app.config().get(wrong as any)).toThrow(InvalidArgumentError);
    }
    expect(() => app.config().get('cache', { vesion: 'v1' } as any)).toThrow(/did you mean "version"/);
  });

  it('of a version gives that version only', () => {
    app.config().registry(CacheV2);
    expect(app.config().get('cache', { version: 'v2.0' })).toBeInstanceOf(CacheV2);
    expect(() => app.config().get('cache', { version: 'v1' })).toThrow(
      'no component "cache" of version v1 in namespace "config"; registered: cache.v2',
    );
    expect(() => app.config().get('cache', { version: 'one' })).toThrow(InvalidArgumentError);
  });

  it('by class gives the object that is of it or extends it, the one of highest priority first', () => {
    app.config().registry(Square, Triangle, CacheV2);
    expect(app.config().load(Shape)).toBeInstanceOf(Triangle);
    expect(app.config().load(Square).sides()).toBe(4);
    expect(app.config().load(Cache)).toBeInstanceOf(CacheV2);
    expect(() => app.config().load(Named)).toThrow(ObjectNotFoundError);
    expect(() => app.config().load(Named)).toThrow(
      'no component that is a Named in namespace "config"; registered: tri',
    );
    expect(() => app.config().load('cache' as any)).toThrow(InvalidArgumentError);
  });

  it('lists and visits in the order of starting: higher priority first, then as registered', () => {
    app.config().registry(new Named('a'), new Named('b', 'v1.2', 5), new Named('c'), new Named('d', 'v1', -1));
    expect(app.config().list()).toEqual(['b.v1.2', 'a.v1', 'c.v1', 'd.v1']);
    const seen: unknown[] = [];
    app.config().forEach((object) => seen.push(object));
    expect(seen[0]).toEqual({ name: 'b', version: 'v1.2', priority: 5, value: app.config().get('b') });
    expect(seen).toHaveLength(4);
    expect(() => app.config().forEach(undefined as any)).toThrow(InvalidArgumentError);
  });
});
