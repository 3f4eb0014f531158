// Runs the three programs beside this file one after the other, as `npm start` does.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ioc, lock, ProviderUnreachableError } from 'mcube-lock';

const PROGRAMS = {
  lock_and_unlock: 'one lock, taken and given back',
  nine_contenders: 'nine contenders with lock(): each gets it in turn, when the one before has expired',
  nine_tries: 'nine contenders with tryLock(): one obtains it',
};

/** A server that does not answer is better told once, before anything runs, than by each program. */
async function checkProvider(): Promise<string> {
  await ioc.developmentSetup();
  try {
    const factory = lock.L();
    await factory.tryRun('main_job', '1s', () => undefined);
    return factory.provider;
  } finally {
    await ioc.stop();
  }
}

function runAll(provider: string): number {
  for (const [program, story] of Object.entries(PROGRAMS)) {
    console.log(`\n${program}, on ${provider}: ${story}`);
    const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
    const { status } = spawnSync(process.execPath, [file], { stdio: 'inherit' });
    if (status !== 0) return status ?? 1;
  }
  return 0;
}

try {
  process.exitCode = runAll(await checkProvider());
} catch (error) {
  if (!(error instanceof ProviderUnreachableError)) throw error;
  console.error(
    `No Redis answers (${error.message}): install and start one with "apt-get install redis-server && redis-server", ` +
      'or name yours in REDIS_ENDPOINTS as host:port.',
  );
  process.exitCode = 1;
}
