import { ConfigError, readConfiguration, type LoadRequest } from '../../src/loader/index.js';
import { tempDir } from '../support/temp_dir.js';

/** What a test puts around a component. */
export interface Given {
  /** Files by name, the `.env` too. */
  files?: Record<string, string>;
  /** Variables of the environment, for the time of the call. */
  env?: Record<string, string>;
  values?: Record<string, Record<string, unknown>>;
  request?: Partial<LoadRequest>;
}

/** Loads a component called `one` from what is given; its files are read in the order of their names. */
export async function load<T extends object>(type: new () => T, given: Given, name = 'one'): Promise<T> {
  const { files = {}, env = {}, values = {}, request = {} } = given;
  await using dir = await tempDir(files);
  const read = Object.keys(files).filter((file) => file.endsWith('.toml'));
  return withEnvironment(env, () => {
    const object = new type();
    const configuration = readConfiguration({ files: read.sort(), cwd: dir.path, values, ...request });
    configuration.bind([{ name, type }]).fill(name, object);
    return object;
  });
}

/** The error that loading gives, with the folder's name taken out of its message. */
export async function refusal<T extends object>(type: new () => T, given: Given, name = 'one'): Promise<ConfigError> {
  try {
    await load(type, given, name);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

export function withEnvironment<T>(env: Record<string, string>, step: () => T): T {
  const before = { ...process.env };
  try {
    Object.assign(process.env, env);
    return step();
  } finally {
    for (const name of Object.keys(env)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  }
}
