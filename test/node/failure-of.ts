import { Failure } from '../../src/node/failure.ts';

/** The failure that this work ends in; anything else that is thrown is passed on, and no failure is one of the test. */
export function failureOf(work: () => unknown): Failure {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('no failure');
}
