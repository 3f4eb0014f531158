import { describe, expect, it } from '@jest/globals';
import { id, inject, Ioc, IocObject, optional } from '../../src/ioc/index.js';

class Redis extends IocObject {}
class Lock extends IocObject {
  @inject(Redis) readonly redis!: Redis;
  @inject(Redis) @optional() readonly again?: Redis;
}
class Orders extends IocObject {
  @inject(Lock) @optional() readonly lock?: Lock;
  @inject(id('api', 'nobody')) @optional() readonly nobody?: IocObject;
  constructor(@inject(Redis) readonly redis: Redis) {
    super();
  }
  override priority() {
    return 3;
  }
}
class Reports extends IocObject {
  @inject(Lock) readonly lock!: Lock;
  override version() {
    return 'v2';
  }
}

function application(): Ioc {
  const app = new Ioc();
  app.api().registry(Reports, Orders);
  app.config().registry(Redis, Lock);
  return app;
}

describe('dependencies', () => {
  it('are a tree of what each component has injected, in the order of starting', () => {
    const redis = { namespace: 'config', name: 'redis', version: 'v1', priority: 0, type: 'Redis', dependencies: [] };
    const lock = { ...redis, name: 'lock', type: 'Lock', dependencies: [redis] };
    expect(application().dependencies()).toEqual([
      redis,
      lock,
      {
        namespace: 'api',
        name: 'orders',
        version: 'v1',
        priority: 3,
        type: 'Orders',
        dependencies: [redis, expect.objectContaining({ name: 'lock', optional: true })],
      },
      expect.objectContaining({
        name: 'reports',
        version: 'v2',
        dependencies: [expect.objectContaining({ name: 'lock' })],
      }),
    ]);
  });

  it('are printed as a tree', () => {
    let printed = '';
    expect(application().printDependencies((text) => (printed += text))).toBeUndefined();
    expect(printed).toBe(
      [
        'config',
        '├─ redis v1 (Redis)',
        '└─ lock v1 (Lock)',
        '   └─ config.redis v1 (Redis)',
        'api',
        '├─ orders v1 (Orders, priority 3)',
        '│  ├─ config.redis v1 (Redis)',
        '│  └─ config.lock v1 (Lock, optional) …',
        '└─ reports v2 (Reports)',
        '   └─ config.lock v1 (Lock) …',
        '',
      ].join('\n'),
    );
  });

  it('construct nothing', () => {
    const app = new Ioc();
    class Loud extends IocObject {
      constructor() {
        super();
        throw new Error('constructed');
      }
    }
    app.config().registry(Loud);
    expect(app.dependencies()).toHaveLength(1);
    expect(new Ioc().dependencies()).toEqual([]);
  });
});
