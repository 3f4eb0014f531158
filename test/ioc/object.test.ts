import { inspect } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import { Ioc, IocObject, integer, text } from '../../src/ioc/index.js';

class RedisConfig extends IocObject {
  @text({ about: 'Where it is.' }) endpoint = 'localhost:6379';
  @text({ about: 'The password.', secret: true }) password = '';
  @integer({ about: 'The database.' }) db = 0;
  #socket = 'private socket';
  session = 'undeclared state';
  use() {
    return this.#socket;
  }
}
class HTTPServer extends IocObject {}
class OAuth2 extends IocObject {}

describe('a component', () => {
  it('has the name of its class in snake_case, version v1, priority 0 and no meta, unless it says otherwise', () => {
    const redis = new RedisConfig();
    expect([redis.name(), redis.version(), redis.priority(), redis.meta()]).toEqual(['redis_config', 'v1', 0, {}]);
    expect([new HTTPServer().name(), new OAuth2().name()]).toEqual(['http_server', 'o_auth2']);
    const Bundled = class _Mailer extends IocObject {};
    expect(new Bundled().name()).toBe('mailer');
  });

  it('has lifecycle methods that do nothing, and no hooks', async () => {
    const redis = new RedisConfig();
    await redis.init();
    await redis.close({ signal: new AbortController().signal });
    const hooks = ['onPostConfig', 'onPreInit', 'onPostInit', 'onPreStop', 'onPostStop'] as const;
    expect(hooks.map((hook) => redis[hook])).toEqual(hooks.map(() => undefined));
  });

  it('shows its class and its values when printed, neither secrets nor private state', async () => {
    const app = new Ioc();
    app.config().registry(RedisConfig);
    await app.setup({ values: { redis_config: { password: 'hunter2' } }, env: { enabled: false } });
    const redis = app.config().get<RedisConfig>('redis_config');
    expect(redis.password).toBe('hunter2');
    expect(inspect(redis)).toBe("RedisConfig { endpoint: 'localhost:6379', password: '***', db: 0 }");
    expect(JSON.parse(JSON.stringify(redis))).toEqual({
      RedisConfig: { endpoint: 'localhost:6379', password: '***', db: 0 },
    });
    for (const text of [
      inspect({ nested: [redis] }, { depth: 9 }),
      inspect(app, { depth: 9 }),
      JSON.stringify([redis]),
    ]) {
      expect(text).not.toMatch(/hunter2|private socket|undeclared state/);
    }
    await app.stop();
  });
});
