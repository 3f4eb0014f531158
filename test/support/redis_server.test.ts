import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { Redis } from 'ioredis';
import { isAlive, PROJECT, runScript } from './child.js';
import {
  describeWithOwnRedis,
  sharedRedis,
  startCluster,
  startRedis,
  startSentinel,
  uniquePrefix,
} from './redis_server.js';
import { eventually } from './time.js';

describe('sharedRedis', () => {
  it('answers, and prefixes keep test files apart', async () => {
    const client = new Redis(sharedRedis().url);
    const [one, other] = [uniquePrefix(), uniquePrefix()];
    await client.set(`${one}key`, 'one', 'PX', 5_000);
    expect(await client.get(`${one}key`)).toBe('one');
    expect(await client.get(`${other}key`)).toBeNull();
    await client.quit();
  });
});

describeWithOwnRedis('startRedis', () => {
  it('gives a server that stop() ends, twice over', async () => {
    const server = await startRedis();
    expect(await server.cli('set', 'a', 'b')).toBe('OK');
    const { pid } = server;
    expect(isAlive(pid)).toBe(true);
    await server.stop();
    await server.stop();
    expect(isAlive(pid)).toBe(false);
  });

  it('keeps what was written over a restart on the same port when told to', async () => {
    await using server = await startRedis({ appendOnly: true });
    await server.cli('set', 'a', 'kept');
    const { port } = server;
    await server.restart();
    expect(server.port).toBe(port);
    expect(await server.cli('get', 'a')).toBe('kept');
    await server.kill();
    await server.start();
    expect(await server.cli('get', 'a')).toBe('kept');
  });

  it('pauses and resumes', async () => {
    await using server = await startRedis();
    server.pause();
    const answer = server.cli('ping');
    const first = await Promise.race([answer, sleep(200, 'silence')]);
    expect(first).toBe('silence');
    server.resume();
    expect(await answer).toBe('PONG');
  });

  it('stops a paused server too', async () => {
    const server = await startRedis();
    const { pid } = server;
    server.pause();
    await server.stop();
    expect(isAlive(pid)).toBe(false);
  });

  it('asks for the password, and rejects what Redis refuses', async () => {
    await using server = await startRedis({ password: 'a b:c' });
    expect(await server.cli('ping')).toBe('PONG');
    await expect(server.cli('nonsense')).rejects.toThrow('unknown command');
    const client = new Redis(server.url);
    expect(await client.ping()).toBe('PONG');
    await client.quit();
    const stranger = new Redis(server.port, server.host, { enableReadyCheck: false });
    stranger.on('error', () => undefined);
    await expect(stranger.get('a')).rejects.toThrow('NOAUTH');
    stranger.disconnect();
  });

  it('knows users of an ACL file', async () => {
    await using server = await startRedis({
      acl: 'user default on nopass ~* &* +@all\nuser app on >secret ~app:* +get',
    });
    const client = new Redis(server.port, server.host, {
      username: 'app',
      password: 'secret',
      enableReadyCheck: false,
    });
    expect(await client.get('app:1')).toBeNull();
    await expect(client.get('other')).rejects.toThrow('NOPERM');
    client.disconnect();
  });

  it('speaks TLS with a certificate that clients can check', async () => {
    await using server = await startRedis({ tls: true });
    expect(await server.cli('ping')).toBe('PONG');
    const client = new Redis(server.url, { tls: { ca: server.ca! } });
    expect(await client.ping()).toBe('PONG');
    await client.quit();
  });

  it('tells what redis-server said when it does not start', async () => {
    await expect(startRedis({ args: ['--nonsense', 'yes'] })).rejects.toThrow(/ended with code 1[^]*nonsense/);
  });

  it('ends with the process that started it, even with one that is killed', async () => {
    const source = `
      import { RedisProcess } from ${JSON.stringify(`file://${PROJECT}test/support/redis_process.js`)};
      const server = new RedisProcess();
      await server.prepare();
      await server.launch((port) => ['--port', String(port), '--save', '']);
      console.log(JSON.stringify({ pid: server.pid, dir: server.dir }));
      process.kill(process.pid, 'SIGKILL');`;
    const { stdout, signal } = await runScript(source);
    expect(signal).toBe('SIGKILL');
    const { pid } = JSON.parse(stdout) as { pid: number };
    await eventually(() => expect(isAlive(pid)).toBe(false));
  });

  it('does not keep the process that started it alive', async () => {
    const source = `
      import { RedisProcess } from ${JSON.stringify(`file://${PROJECT}test/support/redis_process.js`)};
      const server = new RedisProcess();
      await server.prepare();
      await server.launch((port) => ['--port', String(port), '--save', '']);
      console.log(server.pid);`;
    const { stdout, code } = await runScript(source);
    expect(code).toBe(0);
    await eventually(() => expect(isAlive(Number(stdout))).toBe(false));
  });
});

describeWithOwnRedis('startCluster', () => {
  it('gives three masters that hold every slot', async () => {
    await using cluster = await startCluster(3);
    expect(cluster.endpoints).toHaveLength(3);
    for (const node of cluster.nodes) {
      expect(await node.cli('cluster', 'info')).toContain('cluster_slots_ok:16384');
    }
    expect(await cluster.nodes[0]!.cli('-c', 'set', 'key', 'value')).toBe('OK');
    expect(await cluster.nodes[1]!.cli('-c', 'get', 'key')).toBe('value');
  });
});

describeWithOwnRedis('startSentinel', () => {
  it('finds the master, and the replica takes over when the master dies', async () => {
    await using group = await startSentinel(2);
    const address = (): Promise<string> => group.sentinels[0]!.cli('sentinel', 'get-master-addr-by-name', group.name);
    expect(await address()).toBe(`127.0.0.1\n${group.master.port}`);
    await group.master.kill();
    for (let tries = 0; !(await address()).endsWith(`\n${group.replica.port}`) && tries < 1_000; tries++)
      await sleep(20);
    expect(await address()).toBe(`127.0.0.1\n${group.replica.port}`);
  });
});
