import type { Reporter, TestModule } from 'vitest/node';

/** Ends the run with one plain line that people and machines read alike: `N passed, N failed, N skipped`. */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      let failedInside = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed' || state === 'failed' || state === 'skipped') count[state] += 1;
        if (state === 'failed') failedInside += 1;
      }
      // A file that cannot be loaded has no tests to count, yet it must not pass for nothing.
      if (module.state() === 'failed' && failedInside === 0) count.failed += 1;
    }
    count.failed += errors.length;
    const skipped = count.skipped === 0 ? '' : `, ${count.skipped} skipped`;
    // On exit, so that no other reporter has the last word.
    process.once('exit', () => console.log(`\n${count.passed} passed, ${count.failed} failed${skipped}`));
  }
}
