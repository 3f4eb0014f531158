import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import { endCommand, ended } from '../../src/cli/spawn.js';

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

describe('a command that may not be signalled', () => {
  it('goes on, and its end is told, however often that is tried', async () => {
    const child = spawn('sh', ['-c', 'read word; exit 6'], { stdio: 'pipe' });
    let said = '';
    const code = ended(child, 'sh', { out: () => undefined, err: (text) => (said += text) });
    await once(child, 'spawn');
    for (let n = 0; n < 3; n += 1) child.emit('error', new Error('kill EPERM'));
    child.stdin.end('word\n');
    expect(await code).toBe(6);
    expect(said.match(/could not be signalled, and goes on: kill EPERM\n/g)).toHaveLength(3);
  });
});
