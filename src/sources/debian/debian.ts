import type { LockedComponent } from '../../lock/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import { builtFolder } from '../built.ts';
import type { SourceRoom } from '../types.ts';
import { unpackDeb } from './deb.ts';
import { fetchPackage } from './fetch.ts';
import { snapshotTime } from './location.ts';
import { debianTrust, lockedPackage, openSuite, type Trust } from './suite.ts';

/** Raised whenever the same package would give another folder. */
const UNPACK_VERSION = 1;

/**
 * A source of single Debian packages of the target architecture, without dependencies: what a program needs at run time is the core
 * image's business. `detail` of the lock: `suite`, and `snapshot`, the moment of the archive (snapshot.debian.org's notation).
 */
export function debianSource(trust: Trust = debianTrust): SourceRoom<'debian'> {
  return {
    async resolve(component, source, architecture, context): Promise<LockedComponent> {
      const suite = await openSuite(source.suite, architecture, context, trust);
      const there = suite.index.named.get(source.package) ?? [];
      const found =
        source.version === undefined ? there[0] : there.find((item) => item.version === source.version);
      if (!found) throw notThere(source, architecture, there[0]?.version);
      return {
        name: component.name,
        type: 'debian',
        version: found.version,
        inputs: [lockedPackage(source.suite, found)],
        detail: { suite: source.suite, snapshot: snapshotTime(suite.date) },
      };
    },

    async materialize(component, source, locked, architecture, context): Promise<string> {
      const [blob] = locked.inputs;
      if (!blob) {
        throw new SextantError('input', `the lock holds no package for ${component.name}`, {
          hint: `run \`sextant lock --update ${component.name}\``,
        });
      }
      const key = { kind: 'debian-package', version: UNPACK_VERSION, sha256: blob.sha256 };
      return builtFolder(context, key, (folder) =>
        inStep(context.progress, `${component.name} ${locked.version} (${architecture})`, async (step) => {
          const { snapshot } = locked.detail ?? {};
          const pinned = {
            suite: source.suite,
            architecture,
            component: component.name,
            snapshot: typeof snapshot === 'string' ? snapshot : undefined,
          };
          const file = await fetchPackage(blob, pinned, context, trust, step);
          step.update({ note: 'unpacking' });
          await unpackDeb(file, folder, {
            name: blob.url.split('/').at(-1) ?? component.name,
            signal: context.signal,
          });
        }),
      );
    },
  };
}

/** Debian's own archive. */
export const debian: SourceRoom<'debian'> = debianSource();

function notThere(
  source: { readonly package: string; readonly suite: string; readonly version?: string | undefined },
  architecture: Architecture,
  now: string | undefined,
): SextantError {
  const where = `Debian ${source.suite} (${architecture})`;
  if (now === undefined) {
    return new SextantError('input', `Debian package ${source.package} is not in ${where}`, {
      hint: 'check the name and the suite at https://packages.debian.org',
    });
  }
  return new SextantError(
    'input',
    `Debian package ${source.package} ${source.version} is not in ${where}, which has ${now}`,
    { hint: `write version: "${now}" in the recipe, or leave version out to lock the newest` },
  );
}
