// @ts-check
import { ensureRedisServer } from './redis_install.js';
import { findRedisServer, HOST, RedisProcess } from './redis_process.js';

/**
 * Before all tests: one Redis that all test files share, TEST_REDIS_URL or a server of our own, told to them in a
 * variable. See `sharedRedis` in redis_server.ts.
 */
export default async function globalSetup() {
  const given = process.env['TEST_REDIS_URL'];
  if (given) {
    // Tests that start servers of their own are left out where none can be started.
    process.env['MCUBE_LOCK_TEST_SERVER'] = findRedisServer() ?? '';
    process.env['MCUBE_LOCK_TEST_URL'] = given;
    return;
  }
  const program = ensureRedisServer();
  const server = new RedisProcess(program);
  await server.prepare();
  await server.launch((port) => ['--port', String(port), '--bind', HOST, '--save', '', '--appendonly', 'no']);
  process.env['MCUBE_LOCK_TEST_SERVER'] = program;
  process.env['MCUBE_LOCK_TEST_URL'] = `redis://${HOST}:${server.port}`;
  shared.server = server;
}

/** @type {{ server?: RedisProcess }} what globalTeardown stops */
export const shared = {};
