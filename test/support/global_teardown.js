// @ts-check
import { shared } from './global_setup.js';

/** After all tests: the Redis of `global_setup.js` is gone. */
export default async function globalTeardown() {
  await shared.server?.stop();
}
