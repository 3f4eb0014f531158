// Takes a lock, does some work under it, gives it back.
import { ioc, lock } from 'mcube-lock';

await ioc.developmentSetup();

const locker = lock.L().new('test', '10s');
await locker.lock();
try {
  console.log(`obtained lock "${locker.key}", ours for ${Math.round(locker.remaining())} ms more`);
} finally {
  await locker.unlock();
}
console.log('unlocked');

await ioc.stop();
