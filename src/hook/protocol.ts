import { SextantError } from '../support/errors.ts';
import type { HookPayload } from './types.ts';

// The wire format of github.com/mudler/go-pluggable (events.go, plugin.go), which kairos-init speaks with a provider at build time:
// the event's name is the plug-in's only argument, the event is JSON on its stdin, the response is JSON on its stdout.

/** Build events of kairos-sdk (bus/events.go), in the order kairos-init sends them. */
export type BuildEvent = 'init.provider.install' | 'init.provider.info';

/** A response; the plug-in's fields, absent ones empty. `log` is what the plug-in's code printed while it worked. */
export interface EventResponse {
  readonly state: 'success' | 'error' | 'non-applicable';
  readonly data: string;
  readonly error: string;
  readonly log: string;
}

/** An event ready to send; `file` is the data where it is too large for the event itself. */
export interface EncodedEvent {
  readonly name: BuildEvent;
  readonly stdin: string;
  readonly file?: { readonly path: string; readonly content: string };
}

/** Data of more bytes than this travels in a file that the event names (go-pluggable's maxMessageSize). */
const LARGEST_DATA = 8192;
const DATA_FILE = '/tmp/pluggable-event';

/** No installer says this much; a plug-in that does is broken, and its response is not kept in memory. */
export const LARGEST_RESPONSE = 16 * 1024 * 1024;

const STATES: readonly string[] = ['success', 'error', 'non-applicable'] satisfies EventResponse['state'][];

/** Encodes an event as go-pluggable's Plugin.Run does: the payload is a JSON text inside the JSON. */
export function encodeEvent(name: BuildEvent, payload: HookPayload): EncodedEvent {
  const { provider, version, logLevel, config, family } = payload;
  const data = JSON.stringify({ provider, version, logLevel, config, family });
  if (Buffer.byteLength(data) <= LARGEST_DATA) {
    return { name, stdin: JSON.stringify({ name, data, file: '' }) };
  }
  return {
    name,
    stdin: JSON.stringify({ name, data: '', file: DATA_FILE }),
    file: { path: DATA_FILE, content: data },
  };
}

/**
 * Reads what a plug-in wrote to stdout. One JSON object and nothing else; `state`, `data`, `error` and `log` are texts or absent,
 * other members are ignored as Go's decoder ignores them. Throws `tool` for anything else.
 */
export function decodeResponse(name: BuildEvent, stdout: Uint8Array): EventResponse {
  const broken = (why: string, cause?: unknown) =>
    new SextantError('tool', `the provider's answer to ${name} ${why}`, {
      hint: 'the plug-in must write one JSON object with state, data, error and log to stdout; use a released version of the provider',
      cause,
    });
  if (stdout.length > LARGEST_RESPONSE) throw broken(`is longer than ${LARGEST_RESPONSE} bytes`);
  // A byte order mark is not JSON for Go either.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(stdout);
  if (text.trim() === '') throw broken('is empty');
  const value = parse(text, (cause) => broken('is not JSON', cause));
  if (!isObject(value)) throw broken('is not a JSON object');
  const textOf = (member: 'state' | 'data' | 'error' | 'log'): string => {
    const found = Object.hasOwn(value, member) ? value[member] : undefined;
    if (found === undefined || found === null) return '';
    if (typeof found !== 'string') throw broken(`has a ${member} that is not a text`);
    return found;
  };
  const state = textOf('state');
  const error = textOf('error');
  // kairos-init looks at `error` first, and plug-ins that fail early set nothing else.
  if (error === '' && !STATES.includes(state)) {
    throw broken(`has the state ${JSON.stringify(state.slice(0, 40))}, none of ${STATES.join(', ')}`);
  }
  return {
    state: error === '' ? (state as EventResponse['state']) : 'error',
    data: textOf('data'),
    error,
    log: textOf('log'),
  };
}

/** Throws `tool` unless the provider says that it installed. */
export function requireInstalled(response: EventResponse, payload: HookPayload): void {
  if (response.state === 'success') return;
  if (response.state === 'non-applicable') throw notApplicable(payload);
  throw new SextantError(
    'tool',
    `the provider's hook failed: ${firstLine(response.error || response.data)}`,
    {
      hint: 'the build log has everything the hook said',
      ...(response.error === '' ? {} : { details: response.error }),
    },
  );
}

/**
 * Version in the data of an `info` response (kairos-sdk's ProviderInstalledVersionPayload: provider, version), as the provider
 * spells it. Throws `tool` when it names another distribution, none, or no version.
 */
export function installedVersion(response: EventResponse, payload: HookPayload): string {
  const name: BuildEvent = 'init.provider.info';
  if (response.state === 'non-applicable') {
    throw new SextantError('tool', `after the hook the provider finds no ${payload.provider} installed`, {
      hint: 'the installer ended well but left no program where the provider looks; the build log has what it said',
    });
  }
  if (response.state === 'error') {
    throw new SextantError(
      'tool',
      `the provider failed at ${name}: ${firstLine(response.error || response.data)}`,
    );
  }
  const value = parse(
    response.data,
    (cause) =>
      new SextantError('tool', `the data of the provider's answer to ${name} is not JSON`, { cause }),
  );
  if (!isObject(value) || typeof value.provider !== 'string' || typeof value.version !== 'string') {
    throw new SextantError('tool', `the data of the provider's answer to ${name} lacks provider and version`);
  }
  if (value.provider !== payload.provider) {
    throw new SextantError(
      'tool',
      `the provider reports ${JSON.stringify(value.provider.slice(0, 80))} installed, not ${payload.provider}`,
    );
  }
  const version = value.version.trim();
  if (version === '') {
    throw new SextantError('tool', `the provider found ${payload.provider} but could not tell its version`, {
      hint: `it runs \`${payload.provider} --version\` or \`version\`; the build log has what that said`,
    });
  }
  return version;
}

function notApplicable(payload: HookPayload): SextantError {
  return new SextantError('tool', `the provider does not install ${JSON.stringify(payload.provider)}`, {
    hint: 'check distribution.name in the recipe; provider-kairos installs k3s and k0s',
  });
}

function parse(text: string, failure: (cause: unknown) => SextantError): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw failure(cause);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function firstLine(text: string): string {
  const line = text.split('\n').find((candidate) => candidate.trim() !== '') ?? 'it gave no reason';
  return line.trim().slice(0, 200);
}
