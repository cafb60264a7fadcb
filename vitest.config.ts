import { defineConfig } from 'vitest/config';

// unit: seconds, no network, no tool that is not on every machine.
// model: the node's decisions, explored; minutes.
// judges: the field's own tools decide; they need what `make tools` installs.
// e2e: recipes/lab.yaml from nothing to a release.
// guests: scenarios on real core nodes in QEMU.
// One after another: a cold end-to-end build compiles Kubernetes, and unit tests beside it would wait for a processor.
let order = 0;
const project = (name: string, include: string[], seconds: number, extra: object = {}) => ({
  test: {
    name,
    include,
    testTimeout: seconds * 1000,
    hookTimeout: seconds * 1000,
    // What is waited for in a test may take as long as a busy machine needs; the usual second is a timed test.
    expect: { poll: { timeout: Math.min(seconds * 1000, 60_000) } },
    sequence: { groupOrder: order++ },
    ...extra,
  },
});

export default defineConfig({
  test: {
    globalSetup: ['test/bundle.ts'],
    reporters: [process.env.CI ? 'verbose' : 'default', 'junit', './test/summary.ts'],
    outputFile: { junit: 'test-results/junit.xml' },
    projects: [
      project('unit', ['test/**/*.test.ts'], 180, {
        exclude: [
          'test/**/*.judge.test.ts',
          'test/**/*.guest.test.ts',
          'test/**/*.model.test.ts',
          'test/e2e/**',
        ],
      }),
      project('model', ['test/**/*.model.test.ts'], 900),
      project('judges', ['test/**/*.judge.test.ts'], 900, { exclude: ['test/e2e/**'] }),
      project('e2e', ['test/e2e/**/*.test.ts'], 3600, { fileParallelism: false }),
      project('guests', ['test/**/*.guest.test.ts'], 5400, { fileParallelism: false }),
    ],
  },
});
