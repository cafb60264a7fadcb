import { sha256OfFile } from '../digest.ts';
import { removeTree } from '../effects/remove-tree.ts';
import { Failure } from '../failure.ts';
import { makeFolders, replaceFile, requireSpace } from '../files.ts';
import type { Host } from '../host/host.ts';
import { rootHashFile, STORE_FOLDER, storeFile } from '../model/paths.ts';
import type { ExtensionFile } from '../model/types.ts';
import { storedDigests } from '../observe/store.ts';
import type { ReleasePlace } from './address.ts';
import { curlToFile, networkFailure } from './curl.ts';
import { registryHeaders } from './registry.ts';
import { shownAddress } from './shown-address.ts';

/** Where an image comes from. */
export interface ImageSource {
  readonly kind: ReleasePlace['kind'];
  /** Address, or path. */
  readonly place: string;
}

/** A connection that ends early is taken up again this often, with a longer pause each time. */
const PAUSES_SECONDS = [2, 5, 15, 30];
/** A server that asks for a longer one is reported instead of waited for. */
const LONGEST_PAUSE_SECONDS = 120;

/** Name of the folder's unfinished download. It is the activation's too: either goes on from what the other has. */
const PART = '.part';

/** The address that an image came from, beside it; only root may read it, because an address may hold a password. */
export function originFile(file: ExtensionFile): string {
  return `${STORE_FOLDER}/${file.sha256}/${file.name}.sysext.url`;
}

/** Its root hash beside it, as the activation keeps it: what can still be pinned when the records cannot be read. */
export function writeRootHash(host: Host, file: ExtensionFile): void {
  const path = rootHashFile(storeFile(file));
  if (host.readText(path) !== file.rootHash) replaceFile(host, path, file.rootHash, 0o644);
}

/**
 * Brings an image into the store: resumed where it stopped, checked against its size and digest, durable, then under its final name. What
 * is there already is checked and used. Free space for it was asked for before. `say` is told what takes long.
 */
export function obtainImage(
  host: Host,
  file: ExtensionFile,
  source: ImageSource,
  say: (text: string) => void,
): void {
  const folder = `${STORE_FOLDER}/${file.sha256}`;
  const [final, part] = [storeFile(file), `${folder}/${PART}`];
  makeFolders(host, folder);
  if (isWholeFile(host, final, file)) {
    say(`${final} is there already, and whole`);
    host.unlink(part);
    return;
  }
  if (source.kind === 'file') copyIn(host, file, source.place, part);
  else download(host, file, source, part, say);
  if (!isWholeFile(host, part, file)) {
    const size = host.lstat(part)?.size ?? 0;
    const digest = size > 0 ? sha256OfFile(host, part) : 'nothing';
    host.unlink(part);
    throw new Failure(
      'verification',
      `${shownAddress(source.place)}: ${file.size} bytes with SHA-256 ${file.sha256} expected, got ${size} with ${digest}`,
      'the release and its image do not belong together, or something between changed it; nothing was kept',
    );
  }
  host.sync(part);
  host.rename(part, final);
  host.sync(folder);
}

/** Throws unless there is room for what is still to come of a file, and for `more` bytes besides. */
export function requireRoom(host: Host, file: ExtensionFile, more: number): void {
  const here = Math.max(
    host.lstat(storeFile(file))?.size ?? 0,
    host.lstat(`${STORE_FOLDER}/${file.sha256}/${PART}`)?.size ?? 0,
  );
  const rest = Math.max(0, file.size - here);
  requireSpace(
    host,
    STORE_FOLDER,
    rest + more,
    more > 0 ? 'the extension and the snapshot' : 'the extension',
  );
}

/** Unfinished downloads of anything but `keep`, and folders that are empty without them. */
export function removeStaleParts(host: Host, keep: string): void {
  for (const digest of storedDigests(host)) {
    if (digest === keep) continue;
    const folder = `${STORE_FOLDER}/${digest}`;
    if (host.unlink(`${folder}/${PART}`) && host.list(folder)?.length === 0) host.rmdir(folder);
  }
}

/** Takes an image that nothing uses out of the store again, with all that is beside it. */
export function discardImage(host: Host, file: ExtensionFile): void {
  removeTree(host, `${STORE_FOLDER}/${file.sha256}`);
}

function isWholeFile(host: Host, path: string, file: ExtensionFile): boolean {
  const facts = host.lstat(path);
  return facts?.kind === 'file' && facts.size === file.size && sha256OfFile(host, path) === file.sha256;
}

function copyIn(host: Host, file: ExtensionFile, from: string, part: string): void {
  const size = host.stat(from)?.size;
  if (size === undefined)
    throw new Failure(
      'input',
      `${from}: there is no such file beside the release.json`,
      'copy the whole folder of the release',
    );
  if (size !== file.size)
    throw new Failure(
      'verification',
      `${from}: has ${size} bytes, its release says ${file.size}`,
      'copy it again',
    );
  host.unlink(part);
  host.copyNew(from, part, 0o644);
}

function download(
  host: Host,
  file: ExtensionFile,
  { kind, place: address }: ImageSource,
  part: string,
  say: (text: string) => void,
): void {
  const sizeNow = () => host.lstat(part)?.size ?? 0;
  if (sizeNow() > file.size) host.unlink(part);
  for (const pause of [...PAUSES_SECONDS, 0]) {
    const kept = sizeNow();
    if (kept === file.size) return;
    const here = kept > 0 ? `, ${kept} of them here already` : '';
    say(`fetching ${shownAddress(address)}, ${file.size} bytes${here}`);
    const headers = kind === 'registry' ? registryHeaders(host, address) : [];
    const answer = curlToFile(host, address, part, file.size, kept > 0, headers);
    if (answer.code === 0) return;
    // 33 and 36: the server cannot continue; 416: it has less than is here.
    if (kept > 0 && (answer.code === 33 || answer.code === 36 || answer.status === 416)) {
      say(`${shownAddress(address)}: the server cannot continue a download; starting again`);
      host.unlink(part);
      continue;
    }
    // A full disk or too long an answer: what is left of it helps nobody.
    if (answer.code === 23 || answer.code === 63 || sizeNow() > file.size) host.unlink(part);
    const busy = answer.code === 22 && (answer.status === 429 || answer.status >= 500);
    const wait = Math.max(pause, answer.retryAfter ?? 0);
    const failure = networkFailure(address, answer);
    if (!(busy || RETRIED.includes(answer.code)) || pause === 0 || wait > LONGEST_PAUSE_SECONDS)
      throw failure;
    say(`${failure.message}; again in ${wait} s`);
    host.sleep(wait);
  }
}

/** curl(1): name, connection, partial file, time limit, TLS connection, nothing received, connection broken, HTTP/2 stream. */
const RETRIED = [5, 6, 7, 16, 18, 28, 35, 52, 55, 56, 92];
