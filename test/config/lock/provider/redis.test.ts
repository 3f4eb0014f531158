import { Redis } from 'ioredis';
import { lock } from 'mcube-lock';
import { keepsLockPromises } from '../../../support/lock_promises.js';
import { sharedRedis, uniquePrefix } from '../../../support/redis_server.js';

keepsLockPromises('redis', async () => {
  const { host, port } = sharedRedis();
  const prefix = uniquePrefix();
  const clients = [1, 2].map(() => new Redis({ host, port, lazyConnect: true }));
  const [ours, theirs] = clients.map((client) => lock.open({ provider: 'redis', client, prefix }));
  return {
    ours: ours!,
    theirs: theirs!,
    close: async () => {
      await Promise.all([ours!.close(), theirs!.close()]);
    },
  };
});
