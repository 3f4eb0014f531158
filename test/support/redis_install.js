// @ts-check
import { accessSync, constants, existsSync, rmSync, writeFileSync } from 'node:fs';
import { aptGet, canInstall } from './apt.js';
import { findRedisServer, HOW_TO_GET_REDIS } from './redis_process.js';

const POLICY_FILE = '/usr/sbin/policy-rc.d';
// Keeps apt-get from starting Debian's own service on port 6379; says nothing about other services.
const POLICY =
  '#!/bin/sh\n# Written by the tests of mcube-lock while they install redis-server.\n' +
  'case "$1" in redis*) exit 101 ;; *) exit 0 ;; esac\n';

/**
 * Finds redis-server, or installs Debian's package where that can be done without asking anybody.
 * @returns {string} its path
 * @throws {Error} there is none and it cannot be installed; the message tells how to get one
 */
export function ensureRedisServer() {
  const found = findRedisServer();
  if (found) return found;
  if (!canInstall()) throw new Error(HOW_TO_GET_REDIS);
  console.error('installing redis-server with apt-get …');
  withoutService(() => {
    aptGet(HOW_TO_GET_REDIS, 'update');
    aptGet(HOW_TO_GET_REDIS, 'install', '-y', '--no-install-recommends', 'redis-server', 'redis-tools');
  });
  const installed = findRedisServer();
  if (!installed) throw new Error(`apt-get installed redis-server, yet it is not found; ${HOW_TO_GET_REDIS}`);
  return installed;
}

/** Runs an installation under a policy of ours, unless the machine has its own. @param {() => void} install */
function withoutService(install) {
  const ours = !existsSync(POLICY_FILE) && isWritable('/usr/sbin');
  if (ours) writeFileSync(POLICY_FILE, POLICY, { mode: 0o755 });
  try {
    install();
  } finally {
    if (ours) rmSync(POLICY_FILE, { force: true });
  }
}

/** @param {string} folder */
function isWritable(folder) {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
