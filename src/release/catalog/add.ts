import { basename, resolve } from 'node:path';
import { ARCHITECTURES, type Architecture } from '../../support/architecture.ts';
import type { Context } from '../../support/context.ts';
import { SextantError } from '../../support/errors.ts';
import { isAddress } from '../address.ts';
import { type Addition, emptyCatalog, oneRelease, withReleases, withYanked } from './change.ts';
import { describeRelease } from './describe.ts';
import { checkSigning, findCatalog, readCatalogFolder, type Signing, writeCatalogFolder } from './folder.ts';
import { ociReference, parseCatalog } from './schema.ts';
import { CATALOG_FILE, type Catalog } from './types.ts';

export interface AddRequest extends Signing {
  readonly folder: string;
  /** Folders or addresses. */
  readonly releases: readonly string[];
  readonly address?: string;
  readonly oci?: Readonly<Record<string, string>>;
  readonly title?: string;
  readonly kairos?: string;
  readonly replace?: boolean;
}

export interface Changed {
  /** Serial of the catalog before; the same as that of `after` where nothing had to change. */
  readonly before: number;
  readonly after: Catalog;
}

/** Adds releases to the catalog in a folder. All of them, or, where one is wrong, none. */
export async function addReleases(request: AddRequest, context: Context): Promise<Changed> {
  const { folder, releases, address, title, kairos, replace } = request;
  const oci = checkedReferences(request.oci ?? {});
  if (releases.length > 1 && (address !== undefined || Object.keys(oci).length > 0)) {
    throw new SextantError('usage', '--address and --oci are of one release, several are given', {
      hint: 'add them one after another',
    });
  }
  const found = await findCatalog(folder);
  await checkSigning(found, request);
  const additions: Addition[] = [];
  for (const place of releases) {
    const described = await describeRelease(place, context);
    additions.push({
      described,
      address:
        address ??
        described.registry?.address ??
        (isAddress(place) ? place.replace(/\/(?:release\.json)?$/, '') : described.release.url),
      oci: { ...described.registry?.references, ...oci },
      ...(kairos === undefined ? {} : { kairos }),
      ...(replace === undefined ? {} : { replace }),
    });
  }
  const before = found?.catalog ?? emptyCatalog(title ?? basename(resolve(folder)));
  const titled = title === undefined ? before : { ...before, title };
  const next = withReleases(titled, additions, today());
  const after = next === titled && titled !== before ? { ...titled, serial: before.serial + 1 } : next;
  if (after.serial !== before.serial || needsSignature(found, request)) {
    // What is written must be what can be read: an address or version that no reader takes is refused here.
    parseCatalog(JSON.stringify(after), `${folder}/${CATALOG_FILE}`);
    const contents = additions.flatMap(({ described }) => described.contents);
    await writeCatalogFolder(found, folder, after, request, contents);
  }
  return { before: before.serial, after };
}

/** Marks a release as yanked, or takes that back where `why` is undefined. */
export async function yankRelease(
  request: Signing & {
    readonly folder: string;
    readonly version: string;
    readonly name?: string;
    readonly why: string | undefined;
  },
): Promise<Changed> {
  const { folder, version, name, why } = request;
  const found = await readCatalogFolder(folder);
  await checkSigning(found, request);
  const after = withYanked(found.catalog, oneRelease(found.catalog, version, name), why, today());
  if (after.serial !== found.catalog.serial || needsSignature(found, request)) {
    parseCatalog(JSON.stringify(after), `${folder}/${CATALOG_FILE}`);
    await writeCatalogFolder(found, folder, after, request);
  }
  return { before: found.catalog.serial, after };
}

/** A key was given for a catalog that has no signature yet. */
function needsSignature(found: Awaited<ReturnType<typeof findCatalog>>, { key }: Signing): boolean {
  return key !== undefined && found !== undefined && found.signature === undefined;
}

/** The day, for people; SOURCE_DATE_EPOCH where a build has to be repeatable. Nothing decides by it. */
function today(): string {
  const epoch = process.env.SOURCE_DATE_EPOCH;
  const date = epoch !== undefined && /^\d{1,11}$/.test(epoch) ? new Date(Number(epoch) * 1000) : new Date();
  return date.toISOString().slice(0, 10);
}

function checkedReferences(oci: Readonly<Record<string, string>>): Partial<Record<Architecture, string>> {
  for (const [architecture, reference] of Object.entries(oci)) {
    if (!(ARCHITECTURES as readonly string[]).includes(architecture)) {
      throw new SextantError('usage', `--oci ${architecture}=...: no architecture of ours`, {
        hint: `it is one of ${ARCHITECTURES.join(', ')}`,
      });
    }
    const { success, error } = ociReference.safeParse(reference);
    if (!success) {
      throw new SextantError('usage', `--oci ${architecture}=${reference}: ${error.issues[0]?.message}`, {
        hint: 'what `oras resolve` or `sextant publish` says; a tag can move, so Kairos takes none',
      });
    }
  }
  return oci;
}
