// A process of the benchmark: opens one contestant and does what it is told.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { inMemory, onRedis, type Locks } from './contestants/index.js';
import { runLoad } from './load.js';
import type { FromWorker, ToWorker } from './job.js';

const tables = { onRedis, inMemory };
let locks: Locks | undefined;
let letGo: (() => void) | undefined;

process.on('message', (message: ToWorker) => {
  obey(message).catch((error: unknown) => tell({ type: 'failed', message: String(error) }));
});
process.on('disconnect', () => process.exit());
// What a library rejects behind its caller's back ends a program; here it is told.
process.on('unhandledRejection', (error) => tell({ type: 'failed', message: `unhandled: ${String(error)}` }));
process.on('uncaughtException', (error) => tell({ type: 'failed', message: `uncaught: ${String(error)}` }));

async function obey(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'open': {
      const { table, contestant, port } = message.job;
      const found = tables[table].find(({ name }) => name === contestant);
      if (!found) throw new Error(`no contestant ${contestant}`);
      locks = await found.open(port);
      return tell({ type: 'opened' });
    }
    case 'load': {
      const { taken, rested } = runLoad(locks!, message.load, message.from, message.to);
      tell({ type: 'loaded', taken: await taken });
      await rested;
      return tell({ type: 'rested' });
    }
    case 'hold':
      await locks!.use(message.key, () => {
        tell({ type: 'holding' });
        return new Promise<void>((resolve) => (letGo = resolve));
      });
      return tell({ type: 'let go' });
    case 'let go':
      return letGo?.();
    case 'line':
      return stand(message.key, message.waiters);
    case 'crowd':
      return tell({ type: 'weighed', bytes: await weigh(message.keys, message.waiters) });
  }
}

async function stand(key: string, waiters: number): Promise<void> {
  const order: number[] = [];
  const errors: string[] = [];
  const served = Array.from({ length: waiters }, (_, waiter) =>
    locks!.use(key, () => void order.push(waiter)).catch((error: unknown) => errors.push(String(error))),
  );
  tell({ type: 'standing' });
  await Promise.all(served);
  tell({ type: 'served', order, errors });
}

/** What each takes that waits, with what its caller keeps of it. Nobody is served afterwards. */
async function weigh(keys: number, waiters: number): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const heapUsed = async (): Promise<number> => {
    await new Promise(setImmediate);
    collectGarbage();
    return process.memoryUsage().heapUsed;
  };
  const never = new Promise(() => undefined);
  const held = Array.from({ length: keys }, (_, key) => locks!.use(`key:${key}`, () => never));
  const before = await heapUsed();
  const waiting = Array.from({ length: keys * waiters }, (_, waiter) =>
    locks!.use(`key:${waiter % keys}`, () => undefined),
  );
  const bytes = ((await heapUsed()) - before) / waiting.length;
  for (const one of [...held, ...waiting]) one.catch(() => undefined);
  return bytes;
}

function tell(message: FromWorker): void {
  process.send?.(message);
}
