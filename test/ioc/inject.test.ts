import 'reflect-metadata';
import { beforeEach, describe, expect, it } from '@jest/globals';
import * as inversify from 'inversify';
import { InvalidArgumentError } from '../../src/errors.js';
import {
  AmbiguousObjectError,
  CircularDependencyError,
  id,
  inject,
  injectFromBase,
  Ioc,
  IocObject,
  LazyServiceIdentifier,
  multiInject,
  named,
  ObjectNotFoundError,
  optional,
  StartError,
  text,
} from '../../src/ioc/index.js';

class RedisConfig extends IocObject {
  @text({ about: 'Where it is.' }) endpoint = 'localhost';
  override name() {
    return 'redis';
  }
}
class RedisV2 extends RedisConfig {
  override version() {
    return 'v2';
  }
}
class Unlike extends IocObject {
  override name() {
    return 'redis';
  }
  override version() {
    return 'v2';
  }
}
class Service extends IocObject {
  @inject(RedisConfig) readonly redis!: RedisConfig;
}
class Worker extends IocObject {
  @inject(RedisConfig) readonly redis!: RedisConfig;
  constructor(private readonly named: string) {
    super();
  }
  override name() {
    return this.named;
  }
}

let app: Ioc;
beforeEach(() => {
  app = new Ioc();
});

async function start(): Promise<void> {
  await app.setup({ env: { enabled: false } });
}

describe('injection', () => {
  it('is by the decorators of Inversify itself', () => {
    expect([inject, multiInject, optional, named, LazyServiceIdentifier]).toEqual([
      inversify.inject,
      inversify.multiInject,
      inversify.optional,
      inversify.named,
      inversify.LazyServiceIdentifier,
    ]);
  });

  it('reaches across namespaces, into constructors and fields, in whatever order they were registered', async () => {
    class Api extends IocObject {
      @inject(Service) readonly service!: Service;
      constructor(@inject(RedisConfig) readonly redis: RedisConfig) {
        super();
      }
    }
    app.api().registry(Api);
    app.controller().registry(Service);
    app.config().registry(RedisConfig);
    await start();
    const api = app.api().get<Api>('api');
    expect(api.redis).toBe(app.config().get('redis'));
    expect(api.service.redis).toBe(api.redis);
    expect(app.container.get(RedisConfig)).toBe(api.redis);
  });

  it('hands a constructor what has its values already', async () => {
    const seen: string[] = [];
    class Eager extends IocObject {
      constructor(@inject(RedisConfig) redis: RedisConfig) {
        super();
        seen.push(redis.endpoint);
      }
    }
    app.config().registry(Eager, RedisConfig);
    await app.setup({ values: { redis: { endpoint: 'far' } } });
    expect(seen).toEqual(['far']);
  });

  it('hands a constructor with values what code had before setup', async () => {
    const seen: string[] = [];
    class Eager extends IocObject {
      constructor(@inject(RedisConfig) redis: RedisConfig) {
        super();
        seen.push(redis.endpoint);
      }
    }
    app.config().registry(Eager, RedisConfig);
    app.config().get('redis');
    await app.setup({ values: { redis: { endpoint: 'far' } } });
    expect(seen).toEqual(['far']);
  });

  it('finds by name what no class tells apart', async () => {
    class ByName extends IocObject {
      @inject(id('config', 'redis')) readonly redis!: IocObject;
      @inject(id('default', 'mail')) readonly mail!: Worker;
      @inject(Worker) @named('files') readonly files!: Worker;
    }
    app.config().registry(RedisConfig);
    app.default().registry(new Worker('mail'), new Worker('files'));
    app.controller().registry(ByName);
    await start();
    const by = app.controller().load(ByName);
    expect([by.redis.name(), by.mail.name(), by.files.name()]).toEqual(['redis', 'mail', 'files']);
    expect(() => id('config', 'Redis')).toThrow(InvalidArgumentError);
  });

  it('gives all of a class to @multiInject, in the order they start', async () => {
    class All extends IocObject {
      @multiInject(Worker) readonly workers!: Worker[];
    }
    app.config().registry(RedisConfig);
    app.controller().registry(new Worker('late'));
    app.default().registry(new Worker('early'));
    app.api().registry(All);
    await start();
    expect(
      app
        .api()
        .load(All)
        .workers.map((worker) => worker.name()),
    ).toEqual(['early', 'late']);
  });

  it('leaves @optional undefined when nobody is registered, and fills it when somebody is', async () => {
    class Maybe extends IocObject {
      @inject(RedisConfig) @optional() readonly redis?: RedisConfig;
      constructor(@inject(Service) @optional() readonly service?: Service) {
        super();
      }
    }
    app.config().registry(Maybe);
    await start();
    expect([app.config().load(Maybe).redis, app.config().load(Maybe).service]).toEqual([undefined, undefined]);
    await app.stop();
    app.config().registry(RedisConfig);
    await start();
    expect(app.config().load(Maybe).redis).toBeInstanceOf(RedisConfig);
  });

  it('fills @optional at setup also in what was looked up before somebody was registered', async () => {
    class Maybe extends IocObject {
      @inject(RedisConfig) @optional() readonly redis?: RedisConfig;
    }
    app.config().registry(Maybe);
    const maybe = app.config().load(Maybe);
    app.config().registry(RedisConfig);
    await start();
    expect(app.config().load(Maybe)).toBe(maybe);
    expect(maybe.redis).toBe(app.config().load(RedisConfig));
  });

  it('takes what the application bound in the Inversify container, promises too', async () => {
    class Uses extends IocObject {
      @inject('clock') readonly clock!: string;
      @inject('answer') readonly answer!: number;
    }
    app.container.bind('clock').toConstantValue('a clock');
    app.container.bind('answer').toDynamicValue(async () => 42);
    app.config().registry(Uses);
    await start();
    expect([app.config().load(Uses).clock, app.config().load(Uses).answer]).toEqual(['a clock', 42]);
  });

  it('takes what the application put in the place of a component', async () => {
    const fake = { endpoint: 'fake' };
    app.config().registry(RedisConfig);
    app.controller().registry(Service);
    app.container.rebind<unknown>(RedisConfig).toConstantValue(fake);
    await start();
    expect(app.controller().load(Service).redis).toBe(fake);
  });

  it('reaches the fields of registered objects', async () => {
    const worker = new Worker('mail');
    app.default().registry(worker);
    app.config().registry(RedisConfig);
    expect(app.default().get('mail')).toBe(worker);
    await start();
    expect(worker.redis).toBe(app.config().get('redis'));
  });

  it('reaches the fields that a base class declares', async () => {
    class Special extends Service {
      @inject(id('config', 'redis')) readonly byName!: IocObject;
    }
    app.config().registry(RedisConfig);
    app.controller().registry(Special);
    await start();
    expect(app.controller().load(Special).redis).toBe(app.config().get('redis'));
    expect(app.controller().load(Special).byName).toBe(app.config().get('redis'));
  });

  it('reaches the constructor of a base class through @injectFromBase', async () => {
    class Base extends IocObject {
      constructor(@inject(RedisConfig) readonly redis: RedisConfig) {
        super();
      }
    }
    @injectFromBase({ extendConstructorArguments: true })
    class Derived extends Base {}
    app.config().registry(RedisConfig, Derived);
    await start();
    expect(app.config().load(Derived).redis).toBe(app.config().get('redis'));
  });
});

describe('a class as the name of a service', () => {
  it('gives the higher version that extends it and took its place', async () => {
    app.config().registry(RedisConfig).registry(RedisV2);
    app.controller().registry(Service);
    await start();
    expect(app.controller().load(Service).redis).toBeInstanceOf(RedisV2);
    expect(app.container.get(RedisConfig)).toBe(app.config().get('redis'));
  });

  it('gives the higher version also to what was looked up before that was registered', async () => {
    app.config().registry(RedisConfig);
    app.controller().registry(Service);
    expect(app.controller().load(Service).redis).not.toBeInstanceOf(RedisV2);
    app.config().registry(RedisV2);
    await start();
    expect(app.controller().load(Service).redis).toBe(app.config().load(RedisV2));
  });

  it('prefers the one that took its place to others that extend it', async () => {
    class Sessions extends RedisConfig {
      override name() {
        return 'sessions';
      }
    }
    app.config().registry(Sessions, RedisConfig).registry(RedisV2);
    app.controller().registry(Service);
    await start();
    expect(app.controller().load(Service).redis).toBe(app.config().load(RedisV2));
  });

  it('is gone when what took its place is something else', async () => {
    app.config().registry(RedisConfig);
    app.controller().registry(Service);
    app.container.get(RedisConfig);
    app.config().registry(Unlike);
    await expect(start()).rejects.toThrow(/"service" .* wants RedisConfig in field redis, which is not registered/);
    expect(app.container.isBound(RedisConfig)).toBe(false);
  });

  it('may be an abstract base, when one component extends it', async () => {
    abstract class Storage extends IocObject {}
    class Disk extends Storage {}
    class Reader extends IocObject {
      @inject(Storage) readonly storage!: Storage;
    }
    app.config().registry(Disk);
    app.controller().registry(Reader);
    await start();
    expect(app.controller().load(Reader).storage).toBe(app.config().load(Disk));
  });

  it('is ambiguous when several components are that', async () => {
    class Wants extends IocObject {
      @inject(Worker) readonly worker!: Worker;
    }
    app.config().registry(RedisConfig, new Worker('a'), new Worker('b'));
    app.api().registry(Wants);
    const failure = await start().catch((error: unknown) => error as StartError);
    expect(failure).toMatchObject({ code: 'ERR_START', component: 'wants', namespace: 'api', step: 'inject' });
    expect((failure as StartError).cause).toBeInstanceOf(AmbiguousObjectError);
    expect((failure as StartError).message).toContain(
      'component "wants" of namespace "api" (Wants) wants Worker in field worker, and 2 components are that; ' +
        'choose one with @inject(id("config", "a")) or @inject(id("config", "b")), or take all with @multiInject',
    );
  });
});

describe('a missing dependency', () => {
  it('is told with who wants what, and what is registered', async () => {
    app.controller().registry(Service);
    app.config().registry(Unlike);
    const failure = await start().catch((error: unknown) => error as StartError);
    expect(failure).toBeInstanceOf(StartError);
    expect(failure).toMatchObject({ component: 'service', namespace: 'controller', step: 'inject' });
    expect((failure as StartError).cause).toBeInstanceOf(ObjectNotFoundError);
    expect((failure as StartError).message).toBe(
      'component "service" of namespace "controller" failed in inject: component "service" of namespace "controller" ' +
        '(Service) wants RedisConfig in field redis, which is not registered; ' +
        'registered: config.redis (Unlike), controller.service (Service)',
    );
    expect(() => app.controller().get('service')).toThrow(ObjectNotFoundError);
  });

  it('of a constructor is told by its argument', async () => {
    class Wants extends IocObject {
      constructor(@inject(id('config', 'redsi')) readonly redis: IocObject) {
        super();
      }
    }
    app.api().registry(Wants);
    app.config().registry(RedisConfig);
    await expect(start()).rejects.toThrow(
      'wants config.redsi in argument 1 of its constructor, which is not registered; did you mean "config.redis"?',
    );
  });

  it('because modules import each other in a ring is told as that', async () => {
    class Wants extends IocObject {
      @inject(undefined as any) readonly redis!: RedisConfig;
      @inject(new LazyServiceIdentifier(() => RedisConfig)) readonly lazily!: RedisConfig;
    }
    app.config().registry(RedisConfig, Wants);
    await expect(start()).rejects.toThrow(/import each other in a ring; write @inject\(new LazyServiceIdentifier/);
  });
});

describe('components that need each other', () => {
  class A extends IocObject {
    @inject(new LazyServiceIdentifier(() => B)) readonly b!: IocObject;
  }
  class B extends IocObject {
    constructor(@inject(id('default', 'c')) readonly c: IocObject) {
      super();
    }
  }
  class C extends IocObject {
    @inject(A) readonly a!: A;
  }

  it('in a ring are refused with the ring, before anything is built', async () => {
    app.config().registry(RedisConfig, A);
    app.api().registry(B);
    app.default().registry(C);
    const failure = await start().catch((error: unknown) => error as CircularDependencyError);
    expect(failure).toBeInstanceOf(CircularDependencyError);
    expect(failure).toMatchObject({ code: 'ERR_CIRCULAR_DEPENDENCY', path: ['a', 'b', 'c', 'a'] });
    expect((failure as CircularDependencyError).message).toContain('a -> b -> c -> a');
    expect(() => app.config().get('a')).toThrow(CircularDependencyError);
    expect(() => app.dependencies()).toThrow(CircularDependencyError);
  });

  it('may be objects, and one alone', async () => {
    class Self extends IocObject {
      @inject(new LazyServiceIdentifier(() => Self)) readonly self!: IocObject;
    }
    app.config().registry(new Self());
    await expect(start()).rejects.toMatchObject({ path: ['self', 'self'] });
  });

  it('through a binding of the application are found too', async () => {
    class Outside {
      @inject(new LazyServiceIdentifier(() => Inside)) readonly inside!: IocObject;
    }
    class Inside extends IocObject {
      @inject(Outside) readonly outside!: Outside;
    }
    app.container.bind(Outside).toSelf();
    app.config().registry(Inside);
    await expect(start()).rejects.toThrow(CircularDependencyError);
  });

  it('by looking each other up in their constructors are found too', () => {
    class First extends IocObject {
      readonly other = app.config().get('second');
    }
    class Second extends IocObject {
      readonly other = app.config().get('first');
    }
    app.config().registry(First, Second);
    expect(() => app.config().get('first')).toThrow(/first -> second -> first/);
  });
});

describe('registering what Inversify would start itself', () => {
  it('is refused: init and close are awaited, and have values', () => {
    class Wrong extends IocObject {
      @inversify.postConstruct() begin() {}
    }
    expect(() => app.config().registry(Wrong)).toThrow(
      /"begin", expected init\(\) and close\(\) instead of @postConstruct/,
    );
  });
});
