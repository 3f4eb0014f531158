// @ts-check
// Plain JavaScript with checked JSDoc types: the fault suite runs without jest.

/**
 * The configuration of a sentinel that finds out within a second that a master is gone.
 * @param {string} name what the sentinels call the master
 * @param {string} host
 * @param {number} port the master's
 * @param {number} quorum how many sentinels must agree
 */
export function sentinelFile(name, host, port, quorum) {
  return [
    `sentinel monitor ${name} ${host} ${port} ${quorum}`,
    `sentinel down-after-milliseconds ${name} 1000`,
    `sentinel failover-timeout ${name} 3000`,
    '',
  ].join('\n');
}
