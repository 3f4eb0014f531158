// @ts-check
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const INSTALL_LIMIT_MS = 10 * 60_000;

/** Whether a package of Debian or Ubuntu can be installed without asking anybody. */
export function canInstall() {
  return process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');
}

/**
 * @param {string} help how to get by hand what is to be installed; part of the error
 * @param {...string} args
 * @throws {Error} it did not work
 */
export function aptGet(help, ...args) {
  const result = spawnSync('/usr/bin/apt-get', ['-q', '-o', 'DPkg::Lock::Timeout=300', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
    timeout: INSTALL_LIMIT_MS,
  });
  if (result.status === 0) return;
  const told = `${result.error?.message ?? ''}\n${result.stdout ?? ''}\n${result.stderr ?? ''}`.trim();
  const lines = told.split('\n').slice(-10).join('\n');
  throw new Error(`apt-get ${args[0]} failed; ${help}\n${lines}`);
}
