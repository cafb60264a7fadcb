import { Failure } from '../failure.ts';
import { makeFolders, replaceFile } from '../files.ts';
import { DEFAULT_ENVIRONMENT, type Host, type RunResult } from '../host/host.ts';
import { RUN_FOLDER } from '../model/paths.ts';
import { runProgram } from '../programs.ts';
import { refusedCertificate } from './server-certificate.ts';
import { shownAddress } from './shown-address.ts';

const PROXIES = [
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'all_proxy',
  'HTTPS_PROXY',
  'NO_PROXY',
  'ALL_PROXY',
];
/** Authorities that the activation was given besides the node's own. */
const GIVEN_AUTHORITIES = `${RUN_FOLDER}/ca.pem`;
const ALL_AUTHORITIES = `${RUN_FOLDER}/authorities.pem`;
const TRUST_STORES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** The longest a download may take in all; one that stands still ends after a minute. */
const DOWNLOAD_SECONDS = 6 * 3600;

/** Three more attempts, unless the server asks for a pause that ends later than this many seconds from now. */
const RETRY = ['--retry', '3', '--retry-max-time', '120'];

export interface CurlAnswer {
  /** curl's exit code (curl(1), EXIT CODES). */
  readonly code: number;
  /** Status of the last answer, 0 without one. */
  readonly status: number;
  readonly said: string;
  /** Seconds that the server asks to wait (RFC 9110, 10.2.3); undefined where it says none, or a date, which the node's clock would have to know. */
  readonly retryAfter: number | undefined;
  /** What the node's clock said then, milliseconds since 1970: for display only. */
  readonly at: number;
}

/** Fetches an address into a file that it appends to where `from` is not 0. The file's size and bytes are the caller's to check. */
export function curlToFile(
  host: Host,
  address: string,
  file: string,
  limit: number,
  continued: boolean,
  headers: readonly string[] = [],
): CurlAnswer {
  const terminal = terminalOf(host);
  const progress = terminal === undefined ? ['--silent'] : ['--progress-bar', '--stderr', terminal];
  return withHeaders(host, headers, (named) =>
    curl(host, address, [
      ...progress,
      ...['--output', file, '--max-filesize', String(limit)],
      ...(continued ? ['--continue-at', '-'] : []),
      ...named,
    ]),
  );
}

export interface CurlText extends CurlAnswer {
  /** Header lines of all answers, redirects' too. */
  readonly head: string;
  /** Empty where the answer is an error. */
  readonly text: string;
}

/** A small text with the answer's headers; an answer that is an error is one too. curl takes no login to where it is redirected. */
export function curlAsk(host: Host, address: string, limit: number, headers: readonly string[]): CurlText {
  makeFolders(host, RUN_FOLDER);
  const [head, file] = [runtimeName('head'), runtimeName('fetched')];
  try {
    const answer = withHeaders(host, headers, (named) =>
      curl(host, address, [
        ...['--silent', ...RETRY, '--dump-header', head, '--output', file],
        ...['--max-filesize', String(limit), ...named],
      ]),
    );
    return { ...answer, head: host.readText(head, limit) ?? '', text: host.readText(file, limit) ?? '' };
  } finally {
    host.unlink(head);
    host.unlink(file);
  }
}

/** Options that send these header lines. They come from a file: what is on a command line is seen by every process. */
function withHeaders<T>(host: Host, headers: readonly string[], work: (options: readonly string[]) => T): T {
  if (headers.length === 0) return work([]);
  const file = runtimeName('headers');
  makeFolders(host, RUN_FOLDER);
  try {
    const lines = headers.map((line) => `header = "${line.replace(/["\\]/g, '\\$&')}"\n`);
    host.writeNew(file, lines.join(''), 0o600);
    return work(['--config', file]);
  } finally {
    host.unlink(file);
  }
}

function runtimeName(what: string): string {
  return `${RUN_FOLDER}/.${what}-${Math.floor(Math.random() * 1e9)}`;
}

/** A small text; throws `network` or `input` as what the address answers deserves. */
export function curlText(host: Host, address: string, limit: number): string {
  makeFolders(host, RUN_FOLDER);
  const file = runtimeName('fetched');
  try {
    const answer = curlSmall(host, address, file, limit);
    if (answer.code !== 0) throw networkFailure(address, answer);
    return host.readText(file, limit) ?? '';
  } finally {
    host.unlink(file);
  }
}

/** A small file, fetched anew: nothing of an earlier one is kept. */
export function curlSmall(
  host: Host,
  address: string,
  file: string,
  limit: number,
  headers: readonly string[] = [],
): CurlAnswer {
  const options = ['--silent', ...RETRY, '--output', file, '--max-filesize', String(limit)];
  return withHeaders(host, headers, (named) => curl(host, address, [...options, ...named]));
}

/** What a failed download is for people. */
export function networkFailure(address: string, { code, status, said, retryAfter, at }: CurlAnswer): Failure {
  const shown = shownAddress(address);
  if (code === 22 && (status === 404 || status === 410))
    return new Failure(
      'network',
      `${shown}: the server has no such file (${status})`,
      'check the version or address',
    );
  if (code === 22 && status === 429)
    return new Failure(
      'network',
      `${shown}: the server wants fewer requests (429)`,
      `run the same command again ${retryAfter === undefined ? 'later' : `in ${retryAfter} s, as it asks`}; what has arrived is kept`,
    );
  if (code === 22)
    return new Failure(
      'network',
      `${shown}: the server answers ${status}`,
      'check the address and the access to it',
    );
  if (code === 60 || code === 77) return refusedCertificate(shown, said, at);
  if (code === 63)
    return new Failure(
      'verification',
      `${shown}: larger than the release says`,
      'check the place it comes from, and the way to it',
    );
  if (code === 23)
    return new Failure(
      'filesystem',
      `${shown}: could not be written to the disk`,
      'free some space: sextant-node gc',
    );
  return new Failure(
    'network',
    `${shown}: ${said || `curl ended with ${code}`}`,
    'what has arrived is kept; the same command goes on from there',
  );
}

function curl(host: Host, address: string, options: readonly string[]): CurlAnswer {
  const result: RunResult = runProgram(
    host,
    'curl',
    ['--fail', '--location', '--show-error', '--connect-timeout', '15'].concat(
      ['--speed-limit', '1024', '--speed-time', '60'],
      ['--proto', '=http,https', '--proto-redir', '=http,https'],
      // %header is curl's from 7.84 on; older ones write it as it stands.
      ['--write-out', '%{http_code} %{errormsg}\n%header{retry-after}', ...authorities(host)],
      options,
      ['--', address],
    ),
    {
      env: { ...DEFAULT_ENVIRONMENT, ...proxies(host) },
      timeoutSeconds: DOWNLOAD_SECONDS,
      okCodes: Array.from({ length: 127 }, (_, code) => code),
    },
  );
  const [first = '', after = ''] = result.stdout.split('\n');
  const [, status = '0', said = ''] = /^(\d+) ?(.*)$/.exec(first.trim()) ?? [];
  const [errorLine = ''] = result.stderr.trim().split('\n').reverse();
  return {
    code: result.code ?? -1,
    status: Number(status),
    said: said || errorLine.replace(/^curl: /, ''),
    retryAfter: /^\d{1,6}$/.test(after.trim()) ? Number(after) : undefined,
    at: host.wallClock(),
  };
}

function proxies(host: Host): Record<string, string> {
  const found = PROXIES.map((name) => [name, host.env(name)] as const);
  return Object.fromEntries(found.filter((pair): pair is readonly [string, string] => pair[1] !== undefined));
}

/** curl wants one file for the node's authorities and the given ones. */
function authorities(host: Host): string[] {
  const given = host.readText(GIVEN_AUTHORITIES);
  if (given === undefined) return [];
  const own = TRUST_STORES.map((path) => host.readText(path, 8 * 1024 * 1024)).find(Boolean) ?? '';
  replaceFile(host, ALL_AUTHORITIES, `${own}\n${given}`, 0o644);
  return ['--cacert', ALL_AUTHORITIES];
}

/** The terminal that standard error is, for curl's own progress bar; undefined where there is none. */
export function terminalOf(host: Host): string | undefined {
  const target = host.readlink('/proc/self/fd/2');
  return target !== undefined && /^\/dev\/(pts\/\d+|tty\w*|console)$/.test(target) ? target : undefined;
}
