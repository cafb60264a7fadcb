import type { LockedBlob } from '../../lock/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import type { Step } from '../../support/progress.ts';
import { statusOf } from '../attempts.ts';
import type { SourceContext } from '../types.ts';
import { asked, packageOf, snapshotAddress } from './location.ts';
import { debianTrust, openSuite, type Trust } from './suite.ts';

/** What is known of a pinned package besides its bytes. */
export interface Pinned {
  readonly suite: string;
  readonly architecture: Architecture;
  /** Moment of the archive it was locked from, as snapshot.debian.org writes it. */
  readonly snapshot?: string | undefined;
  /** What `sextant lock --update` is to be given, where the package is not a component of its own. */
  readonly component?: string | undefined;
}

/**
 * Path of a pinned package's file: from the store, the archive, or snapshot.debian.org when the archive has dropped that version.
 * When neither has it the `input` error says which version the archive has now.
 */
export async function fetchPackage(
  blob: LockedBlob,
  pinned: Pinned,
  context: SourceContext,
  trust: Trust = debianTrust,
  step?: Step,
): Promise<string> {
  const { store, signal } = context;
  try {
    return await store.fetch({ ...blob, url: asked(blob.url) }, step);
  } catch (error) {
    if (context.frozen || !(error instanceof SextantError) || !isGone(error)) throw error;
    const old = pinned.snapshot === undefined ? undefined : snapshotAddress(blob.url, pinned.snapshot);
    if (old !== undefined) {
      step?.update({ note: 'from snapshot.debian.org' });
      try {
        return await store.fetch({ ...blob, url: old }, step);
      } catch (second) {
        signal.throwIfAborted();
        if (second instanceof SextantError && second.code !== 'network') throw second;
      }
    }
    signal.throwIfAborted();
    throw await replaced(blob, pinned, context, trust, error);
  }
}

function isGone(error: SextantError): boolean {
  const status = statusOf(error)?.status;
  return status === 404 || status === 410;
}

async function replaced(
  blob: LockedBlob,
  pinned: Pinned,
  context: SourceContext,
  trust: Trust,
  cause: unknown,
): Promise<SextantError> {
  const { name, version } = packageOf(blob.url) ?? { name: blob.url, version: '' };
  const now = await openSuite(pinned.suite, pinned.architecture, context, trust).then(
    (suite) => suite.index.named.get(name)?.[0]?.version,
    () => undefined,
  );
  context.signal.throwIfAborted();
  const instead = now === undefined ? `${name} is not in it any more` : `${pinned.suite} now has ${now}`;
  return new SextantError(
    'input',
    `Debian package ${name} ${version} (${pinned.architecture}) is no longer in the archive; ${instead}`,
    {
      hint: `take the new version with \`sextant lock --update ${pinned.component ?? name}\`, or point a mirror of the recipe at an archive that kept ${version}`,
      cause,
    },
  );
}
