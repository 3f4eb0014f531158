// @ts-check
import { setTimeout as sleep } from 'node:timers/promises';
import { TestEnvironment } from 'jest-environment-node';

// What keeps a program alive when it is forgotten; what jest itself opens while a file runs is not among it.
const KINDS = ['Timeout', 'TCPSocketWrap', 'TCPServerWrap', 'PipeWrap', 'ProcessWrap', 'UDPWrap', 'MessagePort'];
const CLOSING_LIMIT_MS = 5_000;

/** Node as jest gives it to a test file, which fails when it leaves a timer, a socket or a process behind. */
export default class LeakEnvironment extends TestEnvironment {
  /** @type {string[]} */ #before = [];

  /** @override */
  async setup() {
    await super.setup();
    this.#before = open();
  }

  /** @override */
  async teardown() {
    const limit = performance.now() + CLOSING_LIMIT_MS;
    let left = leftSince(this.#before);
    // What was told to close may take a few turns of the event loop to be gone.
    while (left.length > 0 && performance.now() < limit) {
      await sleep(10);
      left = leftSince(this.#before);
    }
    await super.teardown();
    if (left.length > 0) throw new Error(`this test file leaves open what keeps a program alive: ${left.join(', ')}`);
  }
}

/** Unreferenced timers and sockets are not listed: they keep nothing alive. */
function open() {
  return process.getActiveResourcesInfo().filter((kind) => KINDS.includes(kind));
}

/** @param {string[]} before */
function leftSince(before) {
  const known = [...before];
  return open().filter((kind) => {
    const at = known.indexOf(kind);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}
