// Nine contenders try one key without waiting: one obtains it, eight do not.
import { ioc, lock } from 'mcube-lock';

await ioc.developmentSetup();

async function attempt(contender: number): Promise<void> {
  try {
    await lock.L().new('test_try_lock', '1s').tryLock();
    console.log(`contender ${contender}: obtained lock`);
  } catch (error) {
    if (!(error instanceof lock.NotObtainedError)) throw error;
    console.log(`contender ${contender}: ${error.message}`);
  }
}
await Promise.all([1, 2, 3, 4, 5, 6, 7, 8, 9].map(attempt));

await ioc.stop();
