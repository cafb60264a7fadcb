/** Runs at most `total` pieces of work at once, and at most `perHost` of those with the same host, first come first served. */
export function limiter(total: number, perHost: number) {
  const busy = new Map<string, number>();
  const waiting: { host: string; start: () => void }[] = [];
  let running = 0;
  const startNext = (): void => {
    while (running < total) {
      const at = waiting.findIndex(({ host }) => (busy.get(host) ?? 0) < perHost);
      const [next] = at === -1 ? [] : waiting.splice(at, 1);
      if (next === undefined) return;
      running += 1;
      busy.set(next.host, (busy.get(next.host) ?? 0) + 1);
      next.start();
    }
  };
  return async <T>(host: string, work: () => Promise<T>): Promise<T> => {
    await new Promise<void>((start) => {
      waiting.push({ host, start });
      startNext();
    });
    try {
      return await work();
    } finally {
      running -= 1;
      busy.set(host, (busy.get(host) ?? 1) - 1);
      startNext();
    }
  };
}
