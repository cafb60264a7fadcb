import { HostError } from '../../../src/node/host/host.ts';

// Of our own, because the suite runs under QuickJS too.

export function expectTrue(value: boolean, what: string): void {
  if (!value) throw new Error(`expected: ${what}`);
}

/** Equal as JSON, which has no undefined: it is told apart from null here. */
export function expectEqual(actual: unknown, expected: unknown): void {
  const text = (value: unknown) =>
    JSON.stringify(value, (_key, inner: unknown) => (inner === undefined ? '(undefined)' : inner));
  if (text(actual) !== text(expected)) {
    throw new Error(`expected ${text(expected)?.slice(0, 300)}, got ${text(actual)?.slice(0, 300)}`);
  }
}

export function expectErrno(errno: string, work: () => unknown): HostError {
  let result: unknown;
  try {
    result = work();
  } catch (error) {
    if (error instanceof HostError && error.errno === errno) return error;
    throw new Error(`expected ${errno}, got ${error}`);
  }
  throw new Error(`expected ${errno}, got ${JSON.stringify(result)}`);
}
