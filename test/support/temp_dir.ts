import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder of one test; `await using` removes it at the end of the block. */
export interface TempDir {
  readonly path: string;
  /** The full path of a file in it, which need not exist. */
  file(name: string): string;
  /** Writes a file, with the folders above it, and gives its full path. */
  write(name: string, content: string | Uint8Array): Promise<string>;
  remove(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Makes an empty folder and fills it.
 * @param files content by name, such as `{ 'etc/application.toml': '[lock]' }`
 * @param parent where it is made; the system's temporary folder unless told
 */
export async function tempDir(
  files: Readonly<Record<string, string | Uint8Array>> = {},
  parent = tmpdir(),
): Promise<TempDir> {
  await mkdir(parent, { recursive: true });
  const path = await mkdtemp(join(parent, 'tmp-'));
  const remove = (): Promise<void> => rm(path, { recursive: true, force: true, maxRetries: 3 });
  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    const file = join(path, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    return file;
  };
  for (const [name, content] of Object.entries(files)) await write(name, content);
  return { path, file: (name) => join(path, name), write, remove, [Symbol.asyncDispose]: remove };
}
