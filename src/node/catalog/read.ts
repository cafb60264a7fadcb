import { sha256OfFile } from '../digest.ts';
import { isInRegistry } from '../download/address.ts';
import { curlSmall, networkFailure } from '../download/curl.ts';
import { registryArtifact, registryHeaders } from '../download/registry.ts';
import { shownAddress } from '../download/shown-address.ts';
import { removeTree } from '../effects/remove-tree.ts';
import { Failure } from '../failure.ts';
import { makeFolders } from '../files.ts';
import type { Host } from '../host/host.ts';
import { RUN_FOLDER } from '../model/paths.ts';
import { type NodeCatalog, parseCatalog } from './parse.ts';
import { refuseOlder, type SeenCatalog, seenCatalog } from './seen.ts';
import { CATALOG_FILE, type CatalogSettings } from './settings.ts';
import { isSigned } from './signature.ts';

/** Some 5,000 releases; a larger one is not read. */
const LARGEST_CATALOG = 8 * 1024 * 1024;
const LARGEST_SIGNATURE = 16 * 1024;
/** Between the two files that a publisher replaces. */
const PAUSE_SECONDS = 2;

/** A catalog that this node may believe. */
export interface TrustedCatalog extends NodeCatalog {
  readonly address: string;
  readonly shown: string;
  /** What to remember of it, once it is used. */
  readonly seen: SeenCatalog;
  readonly signed: boolean;
}

/**
 * Fetches the catalog and its signature, and takes it only when a trusted key signed it and it is not older than the one seen before. Throws
 * `verification`, `network`, `input` or `tool`; remembers nothing.
 */
export function readCatalog(host: Host, { address, trust }: CatalogSettings): TrustedCatalog {
  const shown = shownAddress(address);
  const folder = `${RUN_FOLDER}/catalog-${Math.floor(Math.random() * 1e9)}`;
  makeFolders(host, folder, 0o700);
  try {
    const file = `${folder}/catalog`;
    const places = fetchCatalog(host, address, file, shown);
    if (trust !== undefined && !signedNow(host, places, trust, folder, shown)) {
      // The two files were perhaps being replaced: once more before it is called wrong.
      host.sleep(PAUSE_SECONDS);
      const again = fetchCatalog(host, address, file, shown);
      if (!signedNow(host, again, trust, folder, shown))
        throw new Failure(
          'verification',
          `${shown}: is signed by none of the keys this node trusts, or was changed or cut short on its way`,
          'check who signed it: sextant catalog check ADDRESS --trust FILE; the keys are catalog.trust in the settings',
        );
    }
    const catalog = parseCatalog(host.readText(file, LARGEST_CATALOG) ?? '', shown);
    const seen = { serial: catalog.serial, sha256: sha256OfFile(host, file) };
    refuseOlder(seenCatalog(host, address), seen, shown);
    return { ...catalog, address, shown, seen, signed: trust !== undefined };
  } finally {
    removeTree(host, folder);
  }
}

/** Where the two files are now. Of a registry both come from one manifest: its tag may move to another catalog at any time. */
interface Places {
  readonly catalog: string | undefined;
  readonly signature: string | undefined;
  readonly headers: readonly string[];
}

function placesOf(host: Host, address: string): Places {
  if (!isInRegistry(address)) {
    const [path = '', query] = address.split('?', 2);
    const signature = query === undefined ? `${path}.sig` : `${path}.sig?${query}`;
    return { catalog: address, signature, headers: [] };
  }
  const files = registryArtifact(host, address);
  const catalog = files.get(CATALOG_FILE)?.address;
  return {
    catalog,
    signature: files.get(`${CATALOG_FILE}.sig`)?.address,
    headers: catalog === undefined ? [] : registryHeaders(host, catalog),
  };
}

/** Fetches the catalog; resolves to where its signature is. */
function fetchCatalog(host: Host, address: string, file: string, shown: string): Places {
  const places = placesOf(host, address);
  if (
    places.catalog !== undefined &&
    fetched(host, places.catalog, file, LARGEST_CATALOG, shown, places.headers)
  )
    return places;
  throw new Failure('network', `${shown}: there is no such catalog`, 'check catalog.address in the settings');
}

function signedNow(host: Host, places: Places, trust: string, folder: string, shown: string): boolean {
  const signature = `${folder}/signature`;
  const { signature: place, headers } = places;
  if (
    place === undefined ||
    !fetched(host, place, signature, LARGEST_SIGNATURE, shownAddress(place), headers)
  )
    throw new Failure(
      'verification',
      `${shown}: is not signed, and this node takes only a signed catalog`,
      'sign it where it is made: sextant catalog add ... --key FILE',
    );
  const keys = `${folder}/keys`;
  removeTree(host, keys);
  host.mkdir(keys, 0o700);
  return isSigned(host, `${folder}/catalog`, signature, trust, keys);
}

/** False where there is no such file. */
function fetched(
  host: Host,
  place: string,
  file: string,
  limit: number,
  shown: string,
  headers: readonly string[],
): boolean {
  host.unlink(file);
  const tooLarge = () =>
    new Failure(
      'verification',
      `${shown}: is larger than ${limit} bytes, so not what it should be`,
      'check the address, and the way to it',
    );
  if (place.startsWith('/')) {
    const size = host.stat(place)?.size;
    if (size === undefined) return false;
    if (size > limit) throw tooLarge();
    host.copyNew(place, file, 0o600);
    return true;
  }
  const answer = curlSmall(host, place, file, limit, headers);
  if (answer.code === 22 && (answer.status === 404 || answer.status === 410)) return false;
  if (answer.code === 63 || (host.stat(file)?.size ?? 0) > limit) throw tooLarge();
  if (answer.code !== 0) throw networkFailure(place, answer);
  return true;
}
