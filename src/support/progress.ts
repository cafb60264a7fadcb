/** One thing that takes time. `bytes` and `total` are bytes; a step ends by `done` or `fail`, once. */
export interface Step {
  update(state: { readonly bytes?: number; readonly total?: number; readonly note?: string }): void;
  done(outcome?: string): void;
  fail(reason?: string): void;
}

/** Where long operations report. `terminal.ts` draws it live, `plain.ts` prints lines, `silent` drops it. */
export interface Progress {
  step(name: string): Step;
  /** A line that stays: a decision taken or a warning. */
  say(line: string): void;
}

const nothing = (): void => {};

/** Reports nowhere; for tests and for library use. */
export const silent: Progress = {
  step: () => ({ update: nothing, done: nothing, fail: nothing }),
  say: nothing,
};

/** Runs `work` as a step: done with what `outcome` makes of its result, failed when it throws. */
export async function inStep<T>(
  progress: Progress,
  name: string,
  work: (step: Step) => Promise<T>,
  outcome: (result: T) => string | undefined = () => undefined,
): Promise<T> {
  const step = progress.step(name);
  try {
    const result = await work(step);
    step.done(outcome(result));
    return result;
  } catch (error) {
    step.fail(error instanceof Error ? error.message.split('\n')[0] : undefined);
    throw error;
  }
}

/** 1536 -> "1.5 KiB". */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
