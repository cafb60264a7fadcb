/** A time limit that can stand still. `signal` is aborted when it is used up, `expired` tells it from another abort. */
export interface TimeLimit {
  readonly signal: AbortSignal;
  expired(): boolean;
  pause(): void;
  resume(): void;
  /** Ends it without an abort. */
  stop(): void;
}

/** Starts a limit of that many seconds; time between pause and resume does not count. */
export function timeLimit(seconds: number): TimeLimit {
  const controller = new AbortController();
  let left = seconds * 1000;
  let since = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const halt = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = undefined;
    left -= performance.now() - since;
  };
  const run = () => {
    if (timer !== undefined || controller.signal.aborted) return;
    since = performance.now();
    timer = setTimeout(() => controller.abort(), Math.min(Math.max(left, 0), 2 ** 31 - 1));
  };
  run();
  return {
    signal: controller.signal,
    expired: () => controller.signal.aborted,
    pause: halt,
    resume: run,
    stop: halt,
  };
}
