// Runs the npm scripts named as arguments one after the other, tells how long each took, and stops at the first failure.
import { spawnSync } from 'node:child_process';

for (const step of process.argv.slice(2)) {
  console.log(`=== ${step}`);
  const start = performance.now();
  const { status } = spawnSync('npm', ['run', '--silent', step], {
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`=== ${step}: ${status === 0 ? 'passed' : 'failed'} after ${seconds} s`);
  if (status !== 0) process.exit(status ?? 1);
}
