import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { LockedBlob } from '../../lock/types.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import { inStep } from '../../support/progress.ts';
import { decompress } from '../archive.ts';
import type { BlobStore, SourceContext } from '../types.ts';
import { DEBIAN_ARCHIVE_KEYS } from './archive-keys.ts';
import { indexPackages, type PackageIndex } from './closure.ts';
import { type Package, parsePackages } from './control.ts';
import { archiveOf, asked } from './location.ts';
import { readRelease } from './release.ts';

/** Whose signatures count; tests sign an archive of their own. */
export interface Trust {
  /** Armoured OpenPGP public keys. */
  readonly keys: string;
}

export const debianTrust: Trust = { keys: DEBIAN_ARCHIVE_KEYS };

/** The packages of a suite for one architecture, from its signed index. */
export interface Suite {
  readonly name: string;
  /** When the archive signed it. */
  readonly date: Date;
  readonly index: PackageIndex;
}

const opened = new WeakMap<BlobStore, Map<string, Promise<Suite>>>();

/**
 * Fetches and verifies a suite's index: InRelease by its signature, Packages.xz by the digest in it. Kept for the life of the
 * store, because parsing takes seconds. Throws `network`, `verification` (signature, digest, expiry, another suite) and `input`
 * (no such suite or architecture).
 */
export function openSuite(
  suite: string,
  architecture: Architecture,
  context: SourceContext,
  trust: Trust,
): Promise<Suite> {
  const byStore = opened.get(context.store) ?? new Map<string, Promise<Suite>>();
  opened.set(context.store, byStore);
  const key = `${suite} ${architecture} ${trust.keys}`;
  const found = byStore.get(key);
  if (found) return found;
  const suitePromise = read(suite, architecture, context, trust);
  byStore.set(key, suitePromise);
  suitePromise.catch(() => byStore.delete(key));
  return suitePromise;
}

async function read(
  suite: string,
  architecture: Architecture,
  context: SourceContext,
  trust: Trust,
): Promise<Suite> {
  if (!/^[a-z][a-z0-9-]*$/.test(suite)) {
    throw new SextantError('input', `${JSON.stringify(suite)} is not the name of a Debian suite`, {
      hint: 'use a suite such as trixie or trixie-security',
    });
  }
  return inStep(context.progress, `Debian ${suite} ${architecture}: package index`, async (step) => {
    const dists = `${archiveOf(suite)}/dists/${suite}`;
    const signed = await context.store.discover(asked(`${dists}/InRelease`), step);
    const release = await readRelease(await readFile(signed.path, 'utf8'), trust.keys, suite);
    const folder = `main/binary-${architecture}`;
    const file = release.files.get(`${folder}/Packages.xz`);
    if (file === undefined) {
      throw new SextantError('input', `Debian suite ${suite} has no ${folder}/Packages.xz`, {
        hint: 'check the suite and the architecture',
      });
    }
    // By digest the index of this very Release is found, also while the mirror is being updated.
    const address = `${folder}/${release.byHash ? `by-hash/SHA256/${file.sha256}` : 'Packages.xz'}`;
    const stored = await context.store.fetch({ ...file, url: asked(`${dists}/${address}`) }, step);
    const pieces: Buffer[] = [];
    for await (const piece of decompress(createReadStream(stored), 'xz', context.signal)) {
      pieces.push(Buffer.from(piece));
    }
    step.update({ note: 'reading' });
    const index = indexPackages(parsePackages(Buffer.concat(pieces).toString('utf8')));
    return { name: suite, date: release.date, index };
  });
}

/** A package of a suite as locks hold it. */
export function lockedPackage(suite: string, item: Package): LockedBlob {
  return {
    url: `${archiveOf(suite)}/${item.filename}`,
    size: item.size,
    sha256: item.sha256,
    checkedAgainst: `Debian InRelease ${suite}`,
  };
}
