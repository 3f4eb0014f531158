import { describe, expect, it } from '@jest/globals';
import { Ioc, IocObject, inject, text } from '../../src/ioc/index.js';

class Store extends IocObject {
  @text({ about: 'Where it keeps things.' }) path = '/tmp';
  pathAtInit = '';
  override init() {
    this.pathAtInit = this.path;
  }
}
class Service extends IocObject {
  @inject(Store) readonly store!: Store;
}

describe('a container', () => {
  it('fills, injects and starts what is registered', async () => {
    const app = new Ioc();
    app.controller().registry(Service);
    app.config().registry(Store);
    expect(app.config().get<Store>('store').path).toBe('/tmp');
    await app.setup({ values: { store: { path: '/data' } } });
    const service = app.controller().get<Service>('service');
    expect(service.store).toBe(app.config().get('store'));
    expect(service.store.pathAtInit).toBe('/data');
    expect(app.ready).toBe(true);
    await app.stop();
    expect(app.ready).toBe(false);
    expect(app.config().get<Store>('store').path).toBe('/tmp');
  });
});
