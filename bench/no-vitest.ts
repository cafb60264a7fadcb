/** Takes Vitest's place for test equipment that a measuring script uses: what a test cleans up at its end goes with the process. */
export function onTestFinished(work: () => void): void {
  process.once('exit', work);
}
