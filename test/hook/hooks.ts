import { mkdtemp } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Answer, HookRequest } from '../../src/hook/index.ts';
import { type Architecture, hostArchitecture } from '../../src/support/architecture.ts';
import { silent } from '../../src/support/progress.ts';
import { run, toolEnvironment } from '../../src/support/subprocess.ts';

/** Compiles the test provider for an architecture. */
export async function buildPlugin(output: string, architecture: Architecture): Promise<string> {
  await run('go', ['build', '-trimpath', '-ldflags=-s -w', '-o', output, '.'], {
    cwd: join(import.meta.dirname, 'plugin'),
    env: toolEnvironment({ CGO_ENABLED: '0', GOARCH: architecture, GOFLAGS: '-mod=mod', GOWORK: 'off' }),
  });
  return output;
}

/**
 * A request to run the test provider, which does what `behaviour` says; everything else can be replaced. Its work folder and log are in a
 * folder next to the root.
 */
export async function hookRequest(
  setup: { readonly root: string; readonly plugin: string },
  behaviour: Record<string, unknown>,
  changes: Partial<HookRequest> = {},
): Promise<HookRequest> {
  const folder = await mkdtemp(join(dirname(setup.root), 'hook-'));
  return {
    plugin: setup.plugin,
    architecture: hostArchitecture() ?? 'amd64',
    root: setup.root,
    payload: {
      provider: 'k3s',
      version: 'v1.36.3+k3s1',
      logLevel: 'info',
      config: JSON.stringify(behaviour),
      family: 'debian',
    },
    environment: {},
    timeoutSeconds: 60,
    answer: async () => ({ kind: 'refuse', reason: 'the lock does not hold it' }),
    workFolder: join(folder, 'work'),
    logFile: join(folder, 'build.log'),
    context: { cache: folder, progress: silent, signal: new AbortController().signal },
    ...changes,
  };
}

/** Answers from a table of addresses and refuses the rest. */
export function answersFrom(files: Readonly<Record<string, string>>): (url: string) => Promise<Answer> {
  return async (url) => {
    const path = files[url];
    return path === undefined
      ? { kind: 'refuse', reason: 'the lock does not hold it' }
      : { kind: 'file', path };
  };
}
