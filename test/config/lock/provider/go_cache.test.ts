import { lock } from 'mcube-lock';
import { keepsLockPromises } from '../../../support/lock_promises.js';

keepsLockPromises('go_cache', async () => {
  const factory = lock.open({ provider: 'go_cache' });
  return { ours: factory, theirs: factory, close: () => factory.close() };
});
