// Nine contenders want one key. None of them unlocks, so that each waits until the hold of the one before has expired.
import { ioc, lock } from 'mcube-lock';

await ioc.developmentSetup();

const started = performance.now();
async function contend(contender: number): Promise<void> {
  await lock.L().new('test_lock', '1s').lock();
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  console.log(`contender ${contender}: obtained lock after ${seconds} s`);
}
await Promise.all([1, 2, 3, 4, 5, 6, 7, 8, 9].map(contend));

await ioc.stop();
