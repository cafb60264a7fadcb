import { stripVTControlCharacters } from 'node:util';
import type { Reporter, TestModule } from 'vitest/node';

/** Lines of a failure's text that the end of a run repeats. */
const LINES = 12;

/**
 * Ends the run with each failure in a few lines, since often no more than the end of a log is at hand, and one plain line that people and
 * machines read alike: `N passed, N failed, N skipped`.
 */
export default class Summary implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const failures: string[] = [];
    const tell = (where: string, texts: readonly (string | undefined)[]) => {
      const lines = stripVTControlCharacters(texts.join('\n')).split('\n').slice(0, LINES);
      failures.push(['', `failed: ${where}`, ...lines.map((line) => `  ${line}`)].join('\n'));
    };
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      let failedInside = 0;
      const file = module.relativeModuleId;
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result();
        if (state === 'passed' || state === 'failed' || state === 'skipped') count[state] += 1;
        if (state !== 'failed') continue;
        failedInside += 1;
        tell(`${file} > ${test.fullName}`, errors?.map(({ message }) => message) ?? []);
      }
      // A file that cannot be loaded has no tests to count, yet it must not pass for nothing.
      if (module.state() !== 'failed' || failedInside > 0) continue;
      count.failed += 1;
      tell(
        file,
        module.errors().map(({ message }) => message),
      );
    }
    count.failed += errors.length;
    const skipped = count.skipped === 0 ? '' : `, ${count.skipped} skipped`;
    // On exit, so that no other reporter has the last word.
    process.once('exit', () =>
      console.log(`${failures.join('\n')}\n${count.passed} passed, ${count.failed} failed${skipped}`),
    );
  }
}
