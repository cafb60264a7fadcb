/**
 * Waits for something that is under way already, for so many seconds at most and until `signal` aborts. Rejects with `late()`, with the
 * signal's reason, or as the work does; what becomes of the work later is nobody's business then.
 */
export async function withinTime<T>(
  work: Promise<T>,
  {
    seconds,
    signal,
    late,
  }: { readonly seconds: number; readonly signal: AbortSignal; readonly late: () => Error },
): Promise<T> {
  work.catch(() => {});
  signal.throwIfAborted();
  let stopWaiting = () => {};
  const limit = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(late()), seconds * 1000);
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    stopWaiting = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    stopWaiting();
  }
}
