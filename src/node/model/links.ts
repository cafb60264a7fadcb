import type { Effect } from './effects.ts';
import type { Links, Observation } from './observation.ts';
import {
  ENABLED_FOLDER,
  isOurs,
  linkName,
  rootHashFile,
  slotFolder,
  storeFile,
  storeLink,
  temporaryLink,
} from './paths.ts';
import type { ExtensionFile, Generation, OsIdentity, Records, UsualSlot } from './types.ts';

/**
 * The links in the slots' folders are for a boot without us: they name the newest good pair of the slot's operating system, and what is on
 * trial only while nothing is good. What this boot runs is linked in /run/extensions alone.
 */
export function slotLinks(records: Records, observation: Observation): Effect[] {
  const own = observation.slot as UsualSlot;
  const effects = switchLinks(
    slotFolder(own),
    observation.links[own],
    filesFor(records, observation.os),
    storeLink,
  );
  if (!observation.other?.os) return effects;
  const { slot, os } = observation.other;
  return [
    ...effects,
    ...switchLinks(slotFolder(slot), observation.links[slot], filesFor(records, os), storeLink),
  ];
}

/** What a boot without us should run: null to leave things as they are. */
function filesFor(records: Records, os: OsIdentity): readonly ExtensionFile[] | null {
  if (records.retired) return [];
  const newest = (pairs: readonly Generation[]) =>
    [...pairs].sort((left, right) => right.turn - left.turn)[0];
  const good = records.generations.filter(({ state }) => state === 'good');
  const best = newest(good.filter((pair) => pair.os === os)) ?? newest(good);
  if (best) return best.files;
  return records.generations.find(({ id, os: its }) => id === records.wanted && its === os)?.files ?? null;
}

/** The links of this boot and the root hashes that make systemd-sysext use dm-verity. On a tmpfs: nothing to sync. */
export function enabledLinks(files: readonly ExtensionFile[], observation: Observation): Effect[] {
  const effects = switchLinks(ENABLED_FOLDER, observation.enabled, files, storeFile, false);
  const sidecars = observation.rootHashSidecar ? files : [];
  return [
    { do: 'make-folder', path: ENABLED_FOLDER },
    ...effects,
    ...sidecars.flatMap(({ name, rootHash }): Effect[] => {
      const path = `${ENABLED_FOLDER}/${name}.sysext.roothash`;
      return [
        { do: 'write', path: `${path}.new`, text: rootHash },
        { do: 'rename', from: `${path}.new`, to: path },
      ];
    }),
  ];
}

/** Makes our links in `folder` those of `files`; links of others stay. Null leaves everything. Each link changes in one step. */
function switchLinks(
  folder: string,
  now: Links,
  files: readonly ExtensionFile[] | null,
  target: (file: ExtensionFile) => string,
  durable = true,
): Effect[] {
  if (files === null) return [];
  const names = new Set(files.map(linkName));
  const stale = Object.keys(now).filter((name) => isOurs(now[name] ?? '') && !names.has(name));
  const changed = files.filter((file) => now[linkName(file)] !== target(file));
  if (stale.length + changed.length === 0) return [];
  return [
    ...(changed.length > 0 ? [{ do: 'make-folder', path: folder } as const] : []),
    ...stale.flatMap((name): Effect[] => [
      { do: 'unlink', path: `${folder}/${name}` },
      ...(durable ? [] : [{ do: 'unlink', path: `${folder}/${rootHashFile(name)}` } as const]),
    ]),
    ...changed.flatMap((file): Effect[] => {
      const temporary = temporaryLink(folder, file);
      return [
        { do: 'unlink', path: temporary },
        { do: 'symlink', target: target(file), path: temporary },
        { do: 'rename', from: temporary, to: `${folder}/${linkName(file)}` },
      ];
    }),
    ...(durable ? [{ do: 'sync-folder', path: folder } as const] : []),
  ];
}
