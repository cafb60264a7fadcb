import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { LockedPackages } from '../../lock/types.ts';
import { type Architecture, hostArchitecture } from '../../support/architecture.ts';
import { bytesText, inStep, type Step } from '../../support/progress.ts';
import { builtFolder } from '../built.ts';
import type { SourceContext } from '../types.ts';
import { dependencyClosure } from './closure.ts';
import { unpackDeb } from './deb.ts';
import { fetchPackage } from './fetch.ts';
import { packageOf, snapshotTime } from './location.ts';
import { finishRoot } from './root.ts';
import { debianTrust, lockedPackage, openSuite, type Trust } from './suite.ts';

/** Raised whenever the same packages would give another folder. */
const ROOT_VERSION = 1;

/**
 * Pins packages of a suite with everything they depend on, each held against the suite's signed index. Throws `input` for a package
 * or dependency that the suite does not have, `verification` and `network` as `openSuite` does.
 */
export async function resolvePackages(
  packages: readonly string[],
  suite: string,
  architecture: Architecture,
  context: SourceContext,
  trust: Trust = debianTrust,
): Promise<LockedPackages> {
  const { index, date } = await openSuite(suite, architecture, context, trust);
  const closure = dependencyClosure(packages, index, `Debian ${suite} (${architecture})`);
  return {
    suite,
    packages: [...packages],
    inputs: closure.map((item) => lockedPackage(suite, item)),
    snapshot: snapshotTime(date),
  };
}

/**
 * A root file system of pinned packages as a read-only folder of the cache: unpacked over the merged /usr layout, no maintainer script
 * run, with the few files that those would have made (see `finishRoot`). Enough for a chroot or for `toolCommand`.
 */
export async function materializePackages(
  locked: LockedPackages,
  context: SourceContext,
  trust: Trust = debianTrust,
): Promise<string> {
  const { inputs } = locked;
  const key = { kind: 'debian-root', version: ROOT_VERSION, inputs: inputs.map((blob) => blob.sha256) };
  return builtFolder(context, key, async (folder) => {
    const what = locked.packages.length <= 3 ? locked.packages.join(', ') : `${inputs.length} packages`;
    const files = await inStep(
      context.progress,
      `Debian ${locked.suite}: fetch ${what}`,
      async (step) => {
        const total = inputs.reduce((sum, blob) => sum + blob.size, 0);
        let bytes = 0;
        step.update({ bytes, total });
        return inParallel(inputs, 4, async (blob) => {
          const pinned = {
            suite: locked.suite,
            architecture: architectureOf(locked),
            snapshot: locked.snapshot,
          };
          const path = await fetchPackage(blob, pinned, context, trust, partOf(step));
          bytes += blob.size;
          step.update({ bytes, total });
          return path;
        });
      },
      () => bytesText(inputs.reduce((sum, blob) => sum + blob.size, 0)),
    );
    await inStep(context.progress, `Debian ${locked.suite}: unpack ${what}`, async (step) => {
      await mergedUsr(folder);
      for (const [at, file] of files.entries()) {
        const name = inputs[at]?.url.split('/').at(-1) ?? file;
        step.update({ note: `${at + 1}/${files.length}` });
        await unpackDeb(file, folder, { name, signal: context.signal });
      }
      await finishRoot(folder);
    });
  });
}

/** One of many downloads that a step stands for: its notes are shown, its bytes are not the step's. */
function partOf(step: Step): Step {
  return {
    update: ({ note }) => (note === undefined ? undefined : step.update({ note })),
    done: () => {},
    fail: () => {},
  };
}

/** The architecture of a closure; packages for all architectures do not tell. */
function architectureOf(locked: LockedPackages): Architecture {
  for (const { url } of locked.inputs) {
    const architecture = packageOf(url)?.architecture;
    if (architecture === 'amd64' || architecture === 'arm64') return architecture;
  }
  return hostArchitecture() ?? 'amd64';
}

/** /bin and friends as links, before any package comes that still has files there. https://wiki.debian.org/UsrMerge */
async function mergedUsr(folder: string): Promise<void> {
  for (const name of ['bin', 'sbin', 'lib', 'lib64']) {
    await mkdir(join(folder, 'usr', name), { recursive: true, mode: 0o755 });
    await symlink(`usr/${name}`, join(folder, name));
  }
}

async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const at = next;
      next += 1;
      results[at] = await work(items[at] as T);
    }
  };
  // Settled, not raced: a download that goes on after an error would write where nobody looks any more.
  const ended = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, worker));
  const failed = ended.find((end) => end.status === 'rejected');
  if (failed) throw failed.reason;
  return results;
}
