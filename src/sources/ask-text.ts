import { SextantError } from '../support/errors.ts';
import { redact } from '../support/http.ts';
import { systemClock } from '../support/retry.ts';
import { statusError, withRetries } from './attempts.ts';
import { addressText, mirrored } from './mirrors.ts';
import { type Answered, ask } from './transport.ts';
import type { SourceContext } from './types.ts';

/** An answer of an API, whole in memory. */
export interface TextAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly finalUrl: string;
}

export type AskContext = Pick<SourceContext, 'mirrors' | 'frozen' | 'signal' | 'clock'>;

export interface AskOptions {
  /** Default GET. Another is never redirected: what it carries is for that address alone. */
  readonly method?: 'GET' | 'POST';
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Statuses that are answers too; every other one from 400 on is an error. */
  readonly accept?: readonly number[];
  /** Makes the error of a status; return undefined for the usual one. */
  readonly explain?: (answer: Answered, text: string) => SextantError | undefined;
  /** Bytes; default 32 MiB. */
  readonly limit?: number;
}

/**
 * Asks an API address and gives its whole answer, with retries and mirrors as downloads have them. Throws `network`, and `input`
 * when frozen.
 */
export async function askText(
  url: string,
  context: AskContext,
  options: AskOptions = {},
): Promise<TextAnswer> {
  const { mirrors, signal, clock = systemClock } = context;
  if (context.frozen) throw frozenError(redact(url));
  const { limit = 32 * 1024 * 1024, accept = [] } = options;
  const text = addressText(url, mirrored(url, mirrors));
  return withRetries({ clock, signal }, async () => {
    const answer = await ask(url, mirrors, {
      ...(options.method ? { method: options.method } : {}),
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(options.headers ? { headers: options.headers } : {}),
      signal,
    });
    if (answer.status >= 400 && !accept.includes(answer.status)) {
      await answer.discard();
      throw options.explain?.(answer, text) ?? statusError(text, answer);
    }
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of answer.body) {
      size += piece.length;
      if (size > limit)
        throw new SextantError('network', `${text}: the answer is longer than ${limit} bytes`);
      pieces.push(piece);
    }
    return {
      status: answer.status,
      headers: answer.headers,
      text: Buffer.concat(pieces).toString('utf8'),
      finalUrl: answer.finalUrl,
    };
  });
}

/** Parses an API's JSON; `network` with the address when it is none. */
export function parseJson(answer: TextAnswer, url: string): unknown {
  try {
    return JSON.parse(answer.text);
  } catch (cause) {
    throw new SextantError('network', `${redact(url)}: the answer is not JSON`, {
      hint: 'a proxy or login page may be in the way; open the address in a browser',
      cause,
    });
  }
}

export function frozenError(what: string): SextantError {
  return new SextantError('input', `${what} is needed, and --frozen allows no network`, {
    hint: 'run the same command once without --frozen, or copy the cache folder of a machine that did',
  });
}
