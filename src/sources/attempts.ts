import { SextantError } from '../support/errors.ts';
import { type HttpResponse, isTransient } from '../support/http.ts';
import { backOff, type Clock, retryAfterMs } from '../support/retry.ts';

/** Failures in a row without a new byte after which an address is given up. */
const MAX_FAILURES = 5;
/** Attempts altogether, against servers that give a few bytes each time for ever. */
const MAX_ATTEMPTS = 200;
/** A server that asks for a longer pause than this is reported instead of waited for. */
const LONGEST_PAUSE_MS = 120_000;

/** `cause` of the error that an HTTP status becomes. */
export interface StatusCause {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

const HINTS: Readonly<Record<number, string>> = {
  401: 'the server wants a login; check the token or the credentials in ~/.docker/config.json',
  403: 'the server refuses access; check the address, and whether it needs a token',
  404: 'there is nothing at this address: check it, or the version and name in the recipe that it is made of',
  407: 'the proxy wants a login; put it into HTTPS_PROXY (http://USER:PASSWORD@HOST:PORT)',
  410: 'it was taken away; pick another version',
  429: 'the server wants fewer requests; wait and run the same command again, or use a mirror',
};

/** The error for an answer that is none, e.g. "https://...: 404 Not Found"; `text` names the address. */
export function statusError(
  text: string,
  response: Pick<HttpResponse, 'status' | 'headers'>,
  hint?: string,
): SextantError {
  const { status, headers } = response;
  const { [status]: words } = STATUS_TEXT;
  const cause: StatusCause = { status, headers };
  return new SextantError('network', `${text}: HTTP ${status}${words === undefined ? '' : ` ${words}`}`, {
    hint: hint ?? HINTS[status] ?? 'run the same command again later, or use a mirror',
    cause,
  });
}

const STATUS_TEXT: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  407: 'Proxy Authentication Required',
  408: 'Request Timeout',
  410: 'Gone',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

/** Status and headers of an error made by `statusError`, else undefined. */
export function statusOf(error: unknown): StatusCause | undefined {
  if (!(error instanceof SextantError) || error.cause === null || typeof error.cause !== 'object')
    return undefined;
  return 'status' in error.cause && 'headers' in error.cause ? (error.cause as StatusCause) : undefined;
}

/** Milliseconds to wait before trying again after `failures` failures, or undefined where trying again is no use. */
export function retryDelay(error: unknown, failures: number, clock: Clock): number | undefined {
  if (failures >= MAX_FAILURES || !(error instanceof SextantError) || error.code !== 'network')
    return undefined;
  const answered = statusOf(error);
  if (answered === undefined) {
    return error.cause !== undefined && isTransient(error.cause) ? backOff(failures, clock) : undefined;
  }
  const { status, headers } = answered;
  if (status !== 408 && status !== 429 && (status < 500 || status === 501 || status === 505))
    return undefined;
  const asked = retryAfterMs(headers['retry-after'], clock) ?? 0;
  return asked > LONGEST_PAUSE_MS ? undefined : Math.max(asked, backOff(failures, clock));
}

export interface AttemptOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Told before each wait. */
  readonly onWait?: (error: SextantError, ms: number) => void;
}

/**
 * Runs `work` until it succeeds, with exponential back-off after network errors, 408, 429 and 5xx (Retry-After honoured). Calling
 * `progressed` says that the attempt brought something new, so that a long download over a bad line is not given up.
 */
export async function withRetries<T>(
  options: AttemptOptions,
  work: (progressed: () => void) => Promise<T>,
): Promise<T> {
  const { clock, signal } = options;
  let failures = 0;
  for (let attempt = 1; ; attempt += 1) {
    throwIfInterrupted(signal);
    try {
      return await work(() => {
        failures = 0;
      });
    } catch (error) {
      throwIfInterrupted(signal);
      failures += 1;
      const ms = attempt < MAX_ATTEMPTS ? retryDelay(error, failures, clock) : undefined;
      if (ms === undefined) throw error;
      options.onWait?.(error as SextantError, ms);
      await clock.sleep(ms, signal).catch(() => throwIfInterrupted(signal));
    }
  }
}

export function throwIfInterrupted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof SextantError) throw signal.reason;
  throw new SextantError('interrupted', 'interrupted', {
    hint: 'run the same command again; what was downloaded so far is kept',
    cause: signal.reason,
  });
}
