import { chmod, mkdir, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { LockedBlob } from '../../lock/types.ts';
import { hostArchitecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { withTemporaryFolder } from '../../support/files.ts';
import { inStep } from '../../support/progress.ts';
import { run } from '../../support/subprocess.ts';
import { builtFolder } from '../built.ts';
import type { SourceContext } from '../types.ts';
import { GO_HINT, goFolder, goNetwork, offlineEnvironment, runGo } from './go-command.ts';
import { assembleProxy, moduleAddress, parseModuleAddress } from './module-files.ts';
import { downloadModules, storedModules } from './modules.ts';

/** Toolchains are published as versions of this module (https://go.dev/doc/toolchain#select). */
const TOOLCHAIN = 'golang.org/toolchain';

/** Whether a locked file belongs to a Go toolchain: it makes the program, it does not enter it. */
export function isToolchain(blob: LockedBlob): boolean {
  return parseModuleAddress(blob.url)?.path === TOOLCHAIN;
}

/** Version of the Go on PATH, e.g. "go1.26.8". Throws `tool` when there is none. */
export async function hostGo(context: Pick<SourceContext, 'cache' | 'signal'>): Promise<string> {
  const home = goFolder(context, 'home');
  await mkdir(home, { recursive: true });
  const { stdout } = await run('go', ['env', 'GOVERSION'], {
    env: offlineEnvironment(context, 'amd64'),
    cwd: home,
    signal: context.signal,
    missingHint: GO_HINT,
  });
  return stdout.toString('utf8').trim().split(' ')[0] ?? '';
}

function toolchainModule(context: SourceContext) {
  const host = hostArchitecture();
  if (!/^go\d+\.\d+[\w.]*$/.test(context.go) || host === undefined) {
    throw new SextantError('input', `${context.go}: not a Go release that can be fetched for this machine`, {
      hint: 'the lock must name a release of Go such as go1.26.8; run `sextant lock --update`',
    });
  }
  return { path: TOOLCHAIN, version: `v0.0.1-${context.go}.linux-${host}` };
}

/** Pins the toolchain of the context for this machine, held against the Go checksum database; nothing when the host's Go is it. */
export async function pinToolchain(context: SourceContext, component: string): Promise<LockedBlob[]> {
  if ((await hostGo(context)) === context.go) return [];
  const network = await goNetwork(context);
  const wanted = toolchainModule(context);
  const checkedAgainst = network.isChecked(TOOLCHAIN) ? { checkedAgainst: 'Go checksum database' } : {};
  return inStep(context.progress, `Go toolchain ${context.go}`, async () => {
    const files = await downloadModules([{ ...wanted, kind: 'zip' }], network, context, component);
    return files.map(({ file, sha256, size }) => ({
      url: moduleAddress(file),
      size,
      sha256,
      ...checkedAgainst,
    }));
  });
}

/**
 * The go program of exactly `context.go`: the host's, or the published toolchain, pinned or (unless frozen) fetched now. Throws `tool`
 * without any Go, `input` when frozen and the toolchain is not in the lock or the cache.
 */
export async function openGo(
  context: SourceContext,
  component: string,
  inputs: readonly LockedBlob[],
): Promise<string> {
  const host = await hostGo(context);
  if (host === context.go) return 'go';
  const wanted = toolchainModule(context);
  let pinned = inputs.filter((blob) => parseModuleAddress(blob.url)?.version === wanted.version);
  if (pinned.length === 0) {
    if (context.frozen) {
      throw new SextantError(
        'input',
        `${component} is locked for ${context.go}, this machine has ${host || 'no Go'}`,
        {
          hint: `install ${context.go}, or build once without --frozen so that it is fetched`,
        },
      );
    }
    pinned = await pinToolchain(context, component);
  }
  const zip = pinned.find((blob) => blob.url.endsWith('.zip'));
  const root = await builtFolder(context, { kind: 'go-toolchain', version: 1, zip: zip?.sha256 }, (folder) =>
    unpackToolchain(pinned, folder, component, context),
  );
  return join(root, 'go/bin/go');
}

async function unpackToolchain(
  pinned: readonly LockedBlob[],
  folder: string,
  component: string,
  context: SourceContext,
): Promise<void> {
  const stored = await storedModules(pinned, context, component);
  await withTemporaryFolder(join(goFolder(context, 'work'), 'toolchain'), async (work) => {
    await assembleProxy(join(work, 'proxy'), stored);
    const { path, version } = toolchainModule(context);
    const { stdout } = await runGo(['mod', 'download', '-json', `${path}@${version}`], {
      program: 'go',
      env: offlineEnvironment(context, 'amd64', {
        GOPROXY: pathToFileURL(join(work, 'proxy')).href,
        GOMODCACHE: join(work, 'mod'),
      }),
      cwd: work,
      signal: context.signal,
      subject: `Go toolchain ${context.go}`,
      component,
    });
    await rename((JSON.parse(stdout.toString('utf8')) as { Dir: string }).Dir, join(folder, 'go'));
  });
  // Module archives carry no modes.
  for (const programs of ['bin', 'pkg/tool']) {
    const at = join(folder, 'go', programs);
    for (const entry of await readdir(at, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) await chmod(join(entry.parentPath, entry.name), 0o755);
    }
  }
}
