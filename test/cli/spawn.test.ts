import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { endCommand } from '../../src/cli/spawn.js';

describe('a command whose lock is lost', () => {
  it.each([
    ['that heeds SIGTERM has its own way out', `trap 'exit 4' TERM`, 10_000, [4, null]],
    ['that does not is killed', `trap '' TERM`, 200, [null, 'SIGKILL']],
  ])('%s', async (_title, trap, grace, how) => {
    const child = spawn('sh', ['-c', `${trap}; echo ready; while :; do sleep 0.02; done`], { stdio: 'pipe' });
    const closed = once(child, 'close');
    await once(child.stdout, 'data');
    endCommand(child, grace);
    expect(await closed).toEqual(how);
  });
});
