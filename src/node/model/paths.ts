import type { ExtensionFile, UsualSlot } from './types.ts';

/** Where things are on a node. The interpreter puts another root in front in tests. */
const HOME = '/opt/sextant';
export const RECORDS_FOLDER = `${HOME}/records`;
export const RECORD_FILE = `${RECORDS_FOLDER}/generations.json`;
/** The record before the last change, read when RECORD_FILE is missing or damaged. */
export const PREVIOUS_FILE = `${RECORDS_FOLDER}/generations.previous.json`;
/** Hidden: the activation counts every other name in that folder as a record. */
export const NEW_FILE = `${RECORDS_FOLDER}/.generations.new`;
export const NEW_PREVIOUS_FILE = `${RECORDS_FOLDER}/.generations.previous.new`;
/** Where `adopt --anew` leaves the two when neither can be read; hidden for the same reason. */
export const DAMAGED_FILE = `${RECORDS_FOLDER}/.generations.damaged`;
export const DAMAGED_PREVIOUS_FILE = `${RECORDS_FOLDER}/.generations.previous.damaged`;
export const SNAPSHOTS_FOLDER = `${HOME}/snapshots`;
/** The newest catalog seen: not in the folder of the records, where every name counts as one. */
export const CATALOG_MEMORY = `${HOME}/catalog.json`;
/** SHA-256 of what the activation file named when its wish was last settled. */
export const FOLLOWED = `${HOME}/followed`;
/** The program outside of the extension that it must be able to repair. */
export const NODE_PROGRAM = `${HOME}/bin/sextant-node`;
/** Where the extension carries the program (src/tree/self-activation.ts). */
export const CARRIED_PROGRAM = '/usr/lib/sextant/sextant-node';
/** Ours on this boot, gone with it. */
export const RUN_FOLDER = '/run/sextant';

const EXTENSIONS = '/var/lib/kairos/extensions';
export const STORE_FOLDER = `${EXTENSIONS}/sextant`;
/** What systemd-sysext merges on this boot. */
export const ENABLED_FOLDER = '/run/extensions';
/** The release files of what is merged (os-release(5)). */
export const MERGED_RELEASES = '/usr/lib/extension-release.d';
/**
 * Temporary name beside a link; systemd-sysext takes only names that end in .raw. It tells its target: one left behind by a crash that takes
 * the link's name after all, because only part of what came later was kept, is the same link.
 */
export function temporaryLink(folder: string, file: Pick<ExtensionFile, 'sha256'>): string {
  return `${folder}/.sextant-link-${file.sha256.slice(0, 16)}`;
}

export function slotFolder(slot: UsualSlot): string {
  return `${EXTENSIONS}/${slot}`;
}

export function linkName(file: Pick<ExtensionFile, 'name'>): string {
  return `${file.name}.sysext.raw`;
}

export function storeFile(file: Pick<ExtensionFile, 'name' | 'sha256'>): string {
  return `${STORE_FOLDER}/${file.sha256}/${linkName(file)}`;
}

/** The sidecar with the root hash, beside an image or a link to one whose name ends in .raw. */
export function rootHashFile(image: string): string {
  return image.replace(/raw$/, 'roothash');
}

/** Target of a link in a slot's folder: relative, so that the store may be looked at from elsewhere. */
export function storeLink(file: Pick<ExtensionFile, 'name' | 'sha256'>): string {
  return `../sextant/${file.sha256}/${linkName(file)}`;
}

/** The folder that an absolute path lies in. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

/** True for a link into our part of the store; all others are someone else's. */
export function isOurs(target: string): boolean {
  return /(?:^\.\.|\/extensions)\/sextant\/[0-9a-f]{64}\//.test(target);
}
