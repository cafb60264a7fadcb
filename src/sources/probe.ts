import { toSextantError } from '../support/errors.ts';
import { ask } from './transport.ts';
import type { Mirror } from './types.ts';

/** Why an address does not answer within some seconds, or undefined when it does (any status below 500 is an answer). */
export async function probe(
  address: string,
  options: { readonly mirrors: readonly Mirror[]; readonly seconds: number; readonly signal: AbortSignal },
): Promise<string | undefined> {
  const limit = AbortSignal.timeout(options.seconds * 1000);
  try {
    const response = await ask(address, options.mirrors, {
      signal: AbortSignal.any([options.signal, limit]),
    });
    await response.discard();
    return response.status < 500 ? undefined : `status ${response.status}`;
  } catch (error) {
    options.signal.throwIfAborted();
    if (limit.aborted) return `no answer in ${options.seconds} s`;
    return toSextantError(error).message.replace(`${address}: `, '');
  }
}
