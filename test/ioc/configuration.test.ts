import { beforeEach, describe, expect, it } from '@jest/globals';
import { ConfigError, integer, Ioc, IocObject, text } from '../../src/ioc/index.js';
import { tempDir } from '../support/temp_dir.js';

let steps: string[];
let app: Ioc;

class Greeting extends IocObject {
  @text({ about: 'What it says.' }) word = 'default';
  @integer({ about: 'How often.', min: 1 }) times = 1;
  constructor() {
    super();
    steps.push('constructed');
  }
  override init() {
    steps.push('init');
  }
}

beforeEach(() => {
  steps = [];
  app = new Ioc();
  app.config().registry(Greeting);
});

async function inFolder(files: Record<string, string>, work: (path: string) => Promise<void>): Promise<void> {
  await using dir = await tempDir(files);
  await work(dir.path);
}

const greeting = () => app.config().load(Greeting);

describe('a development setup', () => {
  it('takes etc/application.toml and .env when they are there', async () => {
    const files = {
      'etc/application.toml': '[greeting]\nword = "file"\ntimes = 2\n',
      '.env': 'GREETING_WORD=dotenv\n',
    };
    await inFolder(files, async (cwd) => {
      await app.developmentSetup({ cwd });
      expect([greeting().word, greeting().times]).toEqual(['dotenv', 2]);
      await app.stop();
    });
  });

  it('does without them, and takes what setup takes', async () => {
    await inFolder({ '.env': 'APP_GREETING_WORD=prefixed' }, async (cwd) => {
      expect(await app.developmentSetup({ cwd, values: { greeting: { times: 3 } }, env: { prefix: 'APP' } })).toBe(app);
      expect([greeting().word, greeting().times]).toEqual(['prefixed', 3]);
      await app.developmentSetup({ cwd, force: true });
      expect([greeting().word, greeting().times]).toEqual(['default', 1]);
    });
  });

  it('with paths takes those, a later one first', async () => {
    await inFolder(
      { 'a.toml': '[greeting]\nword = "a"\ntimes = 2', 'b.toml': '[greeting]\nword = "b"' },
      async (path) => {
        await app.developmentSetupWithPaths(`${path}/a.toml`, `${path}/b.toml`);
        expect([greeting().word, greeting().times]).toEqual(['b', 2]);
        await app.stop();
        await app.developmentSetupWithPath(`${path}/a.toml`);
        expect(greeting().word).toBe('a');
      },
    );
  });

  it('with a path to nothing is refused', async () => {
    await inFolder({ 'a.toml': '' }, async (path) => {
      await expect(app.developmentSetupWithPath(`${path}/b.toml`)).rejects.toThrow(ConfigError);
      await expect(app.developmentSetupWithPaths(`${path}/a.toml`, `${path}/b.toml`)).rejects.toThrow(ConfigError);
      await expect(app.developmentSetupWithPaths()).rejects.toThrow('paths: found');
      await expect(app.developmentSetup(`${path}/a.toml` as never)).rejects.toThrow('expected an object of options');
    });
  });
});

describe('a wrong configuration', () => {
  it('is refused before anything is built or started', async () => {
    class Other extends IocObject {
      @integer({ about: 'A number.' }) size = 1;
    }
    app.api().registry(Other);
    const error = await app.setup({ values: { greeting: { times: 0 }, other: { sise: 2 } } }).then(
      () => undefined,
      (thrown: unknown) => thrown as ConfigError,
    );
    expect(error).toBeInstanceOf(ConfigError);
    expect(error?.mistakes.map(({ key }) => key)).toEqual(['greeting.times', 'other.sise']);
    expect([steps, app.ready]).toEqual([[], false]);
    await app.setup();
    expect(steps).toEqual(['constructed', 'init']);
  });

  it('leaves what code had looked up before as it was', async () => {
    const before = greeting();
    await expect(app.setup({ values: { greeting: { times: 0 } } })).rejects.toThrow(ConfigError);
    expect(greeting()).toBe(before);
    await app.setup({ values: { greeting: { times: 5 } } });
    expect([greeting(), before.times]).toEqual([before, 5]);
  });

  it('that only defaults could make right is told as that', async () => {
    class Must extends IocObject {
      @text({ about: 'Has to be given.', minLength: 1 }) url = '';
    }
    app.api().registry(Must);
    await expect(app.setup()).rejects.toThrow(ConfigError);
    expect(steps).toEqual(['constructed']);
  });
});

describe('components of one name in two namespaces', () => {
  it('share a section, each with its own fields', async () => {
    class Mine extends IocObject {
      @integer({ about: 'A size.' }) size = 1;
      override name() {
        return 'greeting';
      }
    }
    app.api().registry(Mine);
    await app.setup({ values: { greeting: { size: 7, times: 4 } } });
    expect([greeting().times, app.api().load(Mine).size]).toEqual([4, 7]);
  });
});
