import { sha256OfFile } from '../digest.ts';
import { imageParts } from '../download/image.ts';
import { writeRootHash } from '../download/obtain.ts';
import { verifyImage } from '../download/verify.ts';
import { Failure } from '../failure.ts';
import { makeFolders, requireSpace } from '../files.ts';
import { type Host, HostError } from '../host/host.ts';
import { clusterVersion } from '../kubernetes/api.ts';
import { ENABLED_FOLDER, linkName, MERGED_RELEASES, STORE_FOLDER, storeFile } from '../model/paths.ts';
import type { ExtensionFile } from '../model/types.ts';
import { isStrict } from '../observe/policy.ts';
import { finalTarget } from '../observe/store.ts';
import { findProgram, runProgram } from '../programs.ts';

const PREFIX = 'extension-release.';

/** An extension that is merged now and can be taken over. */
export interface Merged {
  readonly name: string;
  readonly kubernetes: string;
  /** The image file, links followed. */
  readonly path: string;
}

/** The merged extension of that name, or the one that sextant built. Throws `refused` where it is not clear which, or there is none. */
export function findMerged(host: Host, wanted: string | undefined): Merged {
  const merged = (host.list(MERGED_RELEASES) ?? [])
    .filter((file) => file.startsWith(PREFIX))
    .map((file) => ({ name: file.slice(PREFIX.length), version: builtVersion(host, file) }));
  const fitting = merged.filter(({ name, version }) => (wanted === undefined ? version : name === wanted));
  const [found, second] = fitting;
  if (!found)
    throw new Failure(
      'refused',
      wanted === undefined
        ? 'no extension that sextant built is merged'
        : `no extension ${wanted} is merged${merged.length > 0 ? `, but ${merged.map(({ name }) => name).join(', ')}` : ''}`,
      'merge it first: systemctl restart systemd-sysext; see: journalctl -b -u systemd-sysext',
    );
  if (second)
    throw new Failure(
      'refused',
      `several extensions could be taken over: ${fitting.map(({ name }) => name).join(', ')}`,
      `name one: sextant-node adopt --name ${found.name}`,
    );
  const kubernetes = found.version ?? clusterVersion(host);
  if (!kubernetes)
    throw new Failure(
      'refused',
      `${found.name}: does not say which Kubernetes it is, and no API server of this node does`,
      'try again when Kubernetes runs',
    );
  return { name: found.name, kubernetes, path: imageOf(host, found.name) };
}

/** What sextant writes into every extension (src/tree/manifest.ts); undefined for those of others. */
function builtVersion(host: Host, file: string): string | undefined {
  const text = host.readText(`${MERGED_RELEASES}/${file}`) ?? '';
  return /^SEXTANT_KUBERNETES_VERSION="(.+)"$/m.exec(text)?.[1];
}

function imageOf(host: Host, name: string): string {
  const link = `${ENABLED_FOLDER}/${linkName({ name })}`;
  const path = finalTarget(host, link);
  if (host.lstat(path)?.kind === 'file') return path;
  throw new Failure(
    'refused',
    `${link}: leads to no image file`,
    'only an extension that Kairos enabled as NAME.sysext.raw can be taken over',
  );
}

/**
 * The merged image as a file of our part of the store, where it gets a second name or a copy, whole and verified: by dm-verity where it is
 * in use for it now, else block by block. Where the activation put it, it is already.
 */
export function takeIntoStore(
  host: Host,
  { name, path }: Merged,
  say: (text: string) => void,
): ExtensionFile {
  const { rootHash } = imageParts(host, path);
  say(`reading ${path}`);
  const sha256 = sha256OfFile(host, path);
  const file = { name, sha256, rootHash, size: host.stat(path)?.size ?? 0 };
  const claimed = /\/sextant\/([0-9a-f]{64})\//.exec(path)?.[1];
  if (claimed !== undefined && claimed !== sha256)
    throw new Failure(
      'verification',
      `${path}: is damaged: its SHA-256 is ${sha256}`,
      'remove its folder and restart; the activation fetches it again',
    );
  if (!guarded(host, rootHash)) {
    say('dm-verity does not guard it on this boot: verifying every block against the root hash');
    verifyImage(host, path, rootHash, isStrict(host));
  }
  const final = storeFile(file);
  if (path !== final && host.lstat(final)?.kind !== 'file')
    secondName(host, path, final, `${STORE_FOLDER}/${sha256}`, file.size);
  writeRootHash(host, file);
  return file;
}

function guarded(host: Host, rootHash: string): boolean {
  if (findProgram(host, 'dmsetup') === undefined) return false;
  const { stdout } = runProgram(host, 'dmsetup', ['table', '--target', 'verity'], { okCodes: [0, 1] });
  return stdout.includes(` ${rootHash} `);
}

function secondName(host: Host, path: string, final: string, folder: string, size: number): void {
  makeFolders(host, folder);
  const temporary = `${folder}/.part`;
  host.unlink(temporary);
  try {
    host.link(path, temporary);
  } catch (error) {
    if (!(error instanceof HostError) || !['EXDEV', 'EPERM', 'EMLINK'].includes(error.errno)) throw error;
    requireSpace(host, folder, size, 'a copy of the extension');
    host.copyNew(path, temporary, 0o644);
  }
  host.sync(temporary);
  host.rename(temporary, final);
  host.sync(folder);
}
