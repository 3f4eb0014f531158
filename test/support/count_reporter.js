// @ts-check
// How long jest may take to end once all tests have; by then something that was left open keeps it alive.
const END_LIMIT_MS = 30_000;

/** Closes jest's output with one line that counts: `12 passed, 0 failed, 1 skipped`. */
export default class CountReporter {
  #watching;

  /** @param {{ watch: boolean, watchAll: boolean }} globalConfig */
  constructor(globalConfig) {
    this.#watching = globalConfig.watch || globalConfig.watchAll;
  }

  /**
   * @param {unknown} _contexts
   * @param {Record<'numPassedTests' | 'numFailedTests' | 'numRuntimeErrorTestSuites' | 'numPendingTests' | 'numTodoTests', number>} results
   */
  onRunComplete(_contexts, results) {
    if (this.#watching) return;
    // A file that could not run at all counts as one failure.
    let failed = results.numFailedTests + results.numRuntimeErrorTestSuites;
    const skipped = results.numPendingTests + results.numTodoTests;
    setTimeout(() => {
      console.error(`still open ${END_LIMIT_MS} ms after the tests: ${process.getActiveResourcesInfo().join(', ')}`);
      failed++;
      process.exit(1);
    }, END_LIMIT_MS).unref();
    process.once('exit', () => {
      process.stdout.write(`\n${results.numPassedTests} passed, ${failed} failed, ${skipped} skipped\n`);
    });
  }
}
