import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { type RunResult, run, toolEnvironment } from '../../support/subprocess.ts';
import { touch } from '../built.ts';
import { mirrored } from '../mirrors.ts';
import type { SourceContext } from '../types.ts';

export const GO_HINT =
  'install Go 1.21 or newer (apt-get install golang-go, or https://go.dev/dl) and see that `go version` works';

/** Lists, downloads and builds may take this long, seconds. */
const LONGEST = 3600;

/** Where Go keeps what can be made again: `<cache>/go/{mod,build,home}`. */
export function goFolder(
  context: Pick<SourceContext, 'cache'>,
  name: 'mod' | 'build' | 'home' | 'work',
): string {
  return resolve(context.cache, 'go', name);
}

/**
 * Go's whole environment for one target, without any network: nothing of the caller's settings (GOFLAGS, go env -w, workspaces) gets
 * in, so that the result follows from the module and the toolchain alone. `go help environment`.
 */
export function offlineEnvironment(
  context: Pick<SourceContext, 'cache'>,
  architecture: Architecture,
  extra: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return toolEnvironment({
    HOME: goFolder(context, 'home'),
    GOENV: 'off',
    GOFLAGS: '-modcacherw',
    GOWORK: 'off',
    GO111MODULE: 'on',
    GOTOOLCHAIN: 'local',
    GOPATH: join(goFolder(context, 'home'), 'go'),
    GOMODCACHE: goFolder(context, 'mod'),
    GOCACHE: goFolder(context, 'build'),
    GOPROXY: 'off',
    GOSUMDB: 'off',
    GOVCS: '*:off',
    CGO_ENABLED: '0',
    GOOS: 'linux',
    GOARCH: architecture,
    GOAMD64: 'v1',
    GOARM64: 'v8.0',
    ...extra,
  });
}

/** How the caller's Go reaches modules. */
export interface GoNetwork {
  readonly variables: Readonly<Record<string, string>>;
  /** Whether a module's hash is held against the Go checksum database. */
  readonly isChecked: (modulePath: string) => boolean;
}

const SETTINGS = [
  'GOPROXY',
  'GOSUMDB',
  'GOPRIVATE',
  'GONOPROXY',
  'GONOSUMDB',
  'GOINSECURE',
  'GOVCS',
  'GOAUTH',
];
const PASSED = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'SSH_AUTH_SOCK',
  'NETRC',
];

/**
 * The settings that decide where modules come from and what they are checked against, as the caller's own `go env` has them, with
 * the recipe's mirrors applied to the proxies.
 */
export async function goNetwork(
  context: Pick<SourceContext, 'cache' | 'signal' | 'mirrors'>,
): Promise<GoNetwork> {
  const own = Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  const home = goFolder(context, 'home');
  await mkdir(home, { recursive: true });
  const { stdout } = await run('go', ['env', '-json', ...SETTINGS], {
    env: { ...own, GOTOOLCHAIN: 'local', GOWORK: 'off' },
    cwd: home,
    signal: context.signal,
    missingHint: GO_HINT,
  });
  const settings = JSON.parse(stdout.toString('utf8')) as Record<string, string>;
  const proxies = (settings.GOPROXY ?? '').replace(/[^,|]+/g, (proxy) => mirrored(proxy, context.mirrors));
  const variables: Record<string, string> = { ...settings, GOPROXY: proxies, HOME: own.HOME ?? home };
  for (const name of PASSED) if (own[name] !== undefined) variables[name] = own[name];
  const exempt = (settings.GONOSUMDB || settings.GOPRIVATE || '').split(',').filter((glob) => glob !== '');
  return {
    variables,
    isChecked: (path) => settings.GOSUMDB !== 'off' && !exempt.some((glob) => matchesPrefix(glob, path)),
  };
}

/** Whether a glob of GOPRIVATE or GONOSUMDB matches a prefix of a module path (`go help private`). */
function matchesPrefix(glob: string, path: string): boolean {
  const prefix = path.split('/').slice(0, glob.split('/').length).join('/');
  const pattern = glob
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '[^/]*')
    .replaceAll('?', '[^/]');
  return new RegExp(`^${pattern}$`).test(prefix);
}

export interface GoRun {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
  /** What the errors are about: "edgevpn (github.com/mudler/edgevpn@v0.30.2)". */
  readonly subject: string;
  /** The component's name, for `sextant lock --update`. */
  readonly component: string;
  readonly onLine?: (line: string) => void;
}

/** Runs the go command. Its failures become errors about the component: `verification`, `network`, `input` or `tool`. */
export async function runGo(args: readonly string[], how: GoRun): Promise<RunResult> {
  await mkdir(how.env.HOME ?? '/', { recursive: true });
  if (how.env.GOMODCACHE !== undefined) await touch(how.env.GOMODCACHE);
  let rest = '';
  try {
    return await run(how.program, args, {
      env: how.env,
      cwd: how.cwd,
      signal: how.signal,
      timeoutSeconds: LONGEST,
      missingHint: GO_HINT,
      onOutput: (piece, stream) => {
        if (stream !== 'stderr' || !how.onLine) return;
        const lines = (rest + piece.toString('utf8')).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) how.onLine(line);
      },
    });
  } catch (error) {
    throw explained(error, args, how);
  }
}

const OFFLINE =
  /module lookup disabled|@v\/[^\s]+: no such file|file:\/\/\S+: no such file|no matching versions|missing go\.sum entry/;
const UNREACHABLE =
  /dial tcp|no such host|i\/o timeout|connection re(?:fused|set)|TLS handshake|x509:|proxyconnect|unexpected EOF|Client\.Timeout|50[0-9] |429 /;
const UNKNOWN =
  /unknown revision|invalid version|404 Not Found|410 Gone|not found: |no required module provides|is not in std|cannot find module/;
const TOO_OLD = /requires go >= (\S+)/;

function explained(error: unknown, args: readonly string[], { subject, component, env }: GoRun): unknown {
  if (!(error instanceof SextantError) || error.code !== 'tool' || error.details === undefined) return error;
  const said = error.details;
  const options = { cause: error, details: said };
  const update = `run \`sextant lock --update ${component}\``;
  if (/checksum mismatch|SECURITY ERROR/.test(said)) {
    return new SextantError('verification', `${subject}: a Go module is not what its checksum says`, {
      ...options,
      hint: 'do not use it: the proxy or go.sum was tampered with, or a version was published twice',
    });
  }
  const needed = TOO_OLD.exec(said)?.[1];
  if (needed !== undefined) {
    return new SextantError('input', `${subject} needs Go ${needed.replace(/[;,)]+$/, '')} or newer`, {
      ...options,
      hint: 'install that Go and lock again, or take an older version of the module',
    });
  }
  if (env.GOSUMDB === 'off' && env.GOPROXY?.startsWith('file:') && OFFLINE.test(said)) {
    return new SextantError('input', `${subject} needs Go modules that are not in the lock`, {
      ...options,
      hint: `${update}: the recipe, an overlay or the directory has changed since it was locked`,
    });
  }
  if (UNREACHABLE.test(said)) {
    return new SextantError('network', `${subject}: Go modules could not be downloaded`, {
      ...options,
      hint: 'check the network and GOPROXY, then run the same command again; what came so far is kept',
    });
  }
  if (UNKNOWN.test(said)) {
    return new SextantError('input', `${subject}: a Go module, version or package does not exist`, {
      ...options,
      hint: "check module, version and package in the recipe; a module's own replace lines may need `replace`",
    });
  }
  return new SextantError('tool', `${subject}: go ${args[0]} failed`, {
    ...options,
    hint:
      args[0] === 'build' ? 'correct what the compiler says, or take another version' : 'see what go says',
  });
}
