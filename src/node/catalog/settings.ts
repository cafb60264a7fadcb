import { PREFERENCES_FILE } from '../events/preferences.ts';
import { Failure } from '../failure.ts';
import type { Host } from '../host/host.ts';

/** Name of the catalog in its folder, and what its signature adds to it. */
export const CATALOG_FILE = 'sextant-catalog.json';

/** `catalog` of `/etc/sextant/settings.json` (docs/catalog.md). */
export interface CatalogSettings {
  /** http(s) address or absolute path of the catalog's file, or oci://HOST/REPOSITORY:TAG. */
  readonly address: string;
  /** Folder at an address or path, or oci://HOST/REPOSITORY, that `sextant mirror` filled: releases are fetched from there; undefined: from where the catalog says. */
  readonly mirror: string | undefined;
  /** PEM certificates and public keys of which one must have signed it; undefined: no signature is asked for. */
  readonly trust: string | undefined;
}

/** The catalog this node chooses from, or undefined where none is set. Throws `input` for settings that are wrong. */
export function catalogSettings(host: Host): CatalogSettings | undefined {
  const text = host.readText(PREFERENCES_FILE);
  if (text === undefined) return undefined;
  let catalog: unknown;
  try {
    catalog = (JSON.parse(text) as { catalog?: unknown } | null)?.catalog;
  } catch {
    throw wrong('cannot be read as JSON');
  }
  if (catalog === undefined) return undefined;
  if (typeof catalog !== 'object' || catalog === null) throw wrong('catalog: {"address": ...} expected');
  const { address, trust, mirror } = catalog as Record<string, unknown>;
  if (typeof address !== 'string' || !(isPlace(address) || isInRegistry(address, TAG)))
    throw wrong(
      'catalog.address: an http(s) address, an absolute path or oci://HOST/REPOSITORY:TAG expected',
    );
  if (mirror !== undefined && !(typeof mirror === 'string' && (isPlace(mirror) || isInRegistry(mirror, ''))))
    throw wrong('catalog.mirror: an http(s) address, an absolute path or oci://HOST/REPOSITORY expected');
  return {
    address: isInRegistry(address, TAG) ? address : fileAddress(address),
    mirror,
    trust: trust === undefined ? undefined : pem(host, trust),
  };
}

const TAG = ':\\w[\\w.-]{0,100}';

function isPlace(text: string): boolean {
  return /^(https?:\/\/\S+|\/\S*)$/.test(text);
}

function isInRegistry(text: string, tag: string): boolean {
  return new RegExp(`^oci(\\+http)?://[^/\\s:]+(:\\d{1,5})?/[^\\s:@]+${tag}$`).test(text);
}

/** A folder means the catalog in it. */
function fileAddress(address: string): string {
  const [path = '', query] = address.split('?', 2);
  const full = path.endsWith('.json') ? path : `${path.replace(/\/+$/, '')}/${CATALOG_FILE}`;
  return query === undefined ? full : `${full}?${query}`;
}

function pem(host: Host, trust: unknown): string {
  const isPath = typeof trust === 'string' && trust.startsWith('/');
  const text = isPath ? host.readText(trust) : trust;
  if (text === undefined) throw wrong(`catalog.trust: there is no file ${String(trust)}`);
  if (typeof text === 'string' && pemBlocks(text).length > 0) return text;
  throw wrong(
    `catalog.trust: ${isPath ? `${trust} holds no` : 'a'} PEM certificate or public key${isPath ? '' : ', or the path of a file with one, expected'}`,
  );
}

/** The certificates and public keys of a PEM text, each with its last line. */
export function pemBlocks(text: string): readonly { readonly certificate: boolean; readonly pem: string }[] {
  const blocks = text.match(/-----BEGIN (CERTIFICATE|PUBLIC KEY)-----[\s\S]+?-----END \1-----/g) ?? [];
  return blocks.map((block) => ({ certificate: block.startsWith('-----BEGIN C'), pem: `${block}\n` }));
}

function wrong(what: string): Failure {
  return new Failure(
    'input',
    `${PREFERENCES_FILE}: ${what}`,
    'correct it where it is written: the cloud-config in /oem',
  );
}
