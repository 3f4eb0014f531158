import { expect, it } from '@jest/globals';
import { isAlive, PROJECT, runScript } from '../support/child.js';
import { eventually } from '../support/time.js';

it('processes of a run end with it, even stopped ones of a run that is killed', async () => {
  const source = `
    import { spawn } from 'node:child_process';
    import { once } from 'node:events';
    import { watch } from ${JSON.stringify(`file://${PROJECT}test/faults/watchdog.js`)};
    const start = (seconds) => {
      const child = spawn('sleep', [seconds], { stdio: 'ignore' });
      watch(child);
      return child;
    };
    const children = ['60', '60', '0'].map(start);
    await once(children.pop(), 'exit');
    children[0].kill('SIGSTOP');
    console.log(JSON.stringify(children.map(({ pid }) => pid)));
    process.kill(process.pid, 'SIGKILL');`;
  const { stdout, signal } = await runScript(source);
  expect(signal).toBe('SIGKILL');
  const pids = JSON.parse(stdout) as number[];
  expect(pids).toHaveLength(2);
  await eventually(() => expect(pids.filter(isAlive)).toEqual([]));
});

it('what is watched keeps nothing alive once it has ended', async () => {
  const source = `
    import { spawn } from 'node:child_process';
    import { watch } from ${JSON.stringify(`file://${PROJECT}test/faults/watchdog.js`)};
    watch(spawn('true', { stdio: 'ignore' }));`;
  expect(await runScript(source)).toMatchObject({ code: 0, timedOut: false, stderr: '' });
});
