import { type Certificate, certificateAt, certificateFiles, signersOf } from '../download/certificates.ts';
import { imageParts } from '../download/image.ts';
import type { Host } from '../host/host.ts';
import { protectedPairs } from '../model/housekeeping.ts';
import { storeFile } from '../model/paths.ts';
import type { Generation, Records } from '../model/types.ts';

/** A certificate that this node takes signatures of, with the kept generations that its key signed. */
export interface Trusted extends Omit<Certificate, 'path'> {
  /** The same certificate may lie in several files. */
  readonly paths: readonly string[];
  readonly signed: readonly Generation[];
  /** Of these, the ones that no other certificate vouches for. */
  readonly alone: readonly Generation[];
}

/** Reads every certificate of the node, and asks of each kept generation's files which of them vouch for it. */
export function trustedCertificates(host: Host, records: Records | null): Trusted[] {
  const files = certificateFiles(host);
  const found = new Map<string, Omit<Trusted, 'signed' | 'alone'>>();
  for (const file of files) {
    const { path, ...about } = certificateAt(host, file);
    const paths = [...(found.get(about.fingerprint)?.paths ?? []), path];
    found.set(about.fingerprint, { ...about, paths });
  }
  const signed = (records === null ? [] : protectedPairs(records)).map((pair) => ({
    pair,
    by: signersByFile(host, pair, files),
  }));
  return [...found.values()].map((one) => {
    const own = (path: string) => one.paths.includes(path);
    const pairs = (needs: (signers: readonly string[]) => boolean) =>
      signed.filter(({ by }) => by.some(needs)).map(({ pair }) => pair);
    return {
      ...one,
      signed: pairs((signers) => signers.some(own)),
      alone: pairs((signers) => signers.length > 0 && signers.every(own)),
    };
  });
}

/** For each file of a pair that is in the store, the certificates by whose keys it is signed. */
function signersByFile(host: Host, pair: Generation, certificates: readonly string[]): string[][] {
  return pair.files.flatMap((file) => {
    const path = storeFile(file);
    return host.stat(path) === undefined ? [] : [signersOf(host, path, imageParts(host, path), certificates)];
  });
}

/** Where Kairos reads cloud-config from. */
const CONFIG_FOLDERS = ['/oem', '/system/oem', '/usr/local/cloud-config'];
const LARGEST_CONFIG = 1024 * 1024;

/** Files of cloud-config that hold a certificate's text, told by its last whole line: they write it again at every boot. */
export function configsWith(host: Host, certificate: string): string[] {
  const lines = certificate.split('\n').map((line) => line.trim());
  const mark = lines.findLast((line) => /^[A-Za-z0-9+/]{64}$/.test(line));
  if (mark === undefined) return [];
  return CONFIG_FOLDERS.flatMap((folder) =>
    (host.list(folder) ?? [])
      .map((name) => `${folder}/${name}`)
      .filter((path) => host.stat(path)?.kind === 'file')
      .filter((path) => host.readText(path, LARGEST_CONFIG)?.includes(mark)),
  );
}
