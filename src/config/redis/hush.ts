import type { RedisClient } from './connect.js';

/** Commands whose arguments carry passwords; ioredis attaches them to the errors of a refused login. */
const LOGINS = ['auth', 'hello'];

/**
 * Keeps a client from telling its password. The listeners come first, before those of users and before a command that
 * waits is rejected with the same error; and without any listener ioredis would print errors to the console.
 */
export function hush(client: RedisClient): void {
  client.on('error', withoutLogin);
  client.on('node error', withoutLogin);
}

function withoutLogin(error: unknown): void {
  if (typeof error !== 'object' || error === null) return;
  const { command, lastNodeError } = error as { command?: { name?: unknown; args?: unknown }; lastNodeError?: unknown };
  if (command && LOGINS.includes(String(command.name).toLowerCase())) command.args = ['***'];
  withoutLogin(lastNodeError);
}
