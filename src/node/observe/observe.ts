import type { Host } from '../host/host.ts';
import type { Observation } from '../model/observation.ts';
import { slotFolder } from '../model/paths.ts';
import type { ExtensionFile, Records, UsualSlot } from '../model/types.ts';
import { configurationDigest } from './configuration.ts';
import { datastoreKind } from './datastore.ts';
import { grubFacts } from './grub.ts';
import { devicePath, mountAt } from './mounts.ts';
import { type OperatingSystem, operatingSystemByRelease, operatingSystemIn } from './os-identity.ts';
import { isStrict } from './policy.ts';
import { bootedSlot, bootId } from './slot.ts';
import { readStatePartition } from './state-partition.ts';
import { enabledExtensions, foreignExtensions, linksIn, wholeFiles } from './store.ts';

export interface ObserveOptions {
  /** The records decided from, null where there are none yet: they say which files to look for. */
  readonly records: Records | null;
  /** Files to look for besides those of the records, e.g. of an upgrade that is asked for. */
  readonly files?: readonly ExtensionFile[];
  readonly recordFile: Observation['recordFile'];
  /** Default true. */
  readonly writable?: boolean;
}

/** Everything a decision looks at, read from the node: nothing is changed, and no file of the store is read. */
export function observe(host: Host, options: ObserveOptions): Observation {
  const { records, files = [], recordFile, writable = true } = options;
  const slot = bootedSlot(host);
  const running = runningSystem(host);
  const state = readStatePartition(host, (folder) => ({
    images: slotImages(host, folder),
    grub: grubFacts(host, folder),
  }));
  const images = state?.images;
  const known = [...(records?.generations.flatMap((pair) => pair.files) ?? []), ...files];
  const enabled = enabledExtensions(host);
  return {
    slot,
    os: running.os,
    osName: running.name,
    bootId: bootId(host),
    now: new Date(host.wallClock()).toISOString(),
    whole: wholeFiles(host, known),
    other: otherSlot(slot, images),
    installed: installedSystems(images),
    grub: state?.grub ?? grubFacts(host, undefined),
    links: { active: linksIn(host, slotFolder('active')), passive: linksIn(host, slotFolder('passive')) },
    enabled,
    foreign: foreignExtensions(host, enabled).map(({ name }) => name),
    recordFile,
    writable,
    rootHashSidecar: !isStrict(host),
    configuration: configurationDigest(host),
    datastore: datastoreKind(host, records?.datastore.kind),
  };
}

/** The operating system whose image is mounted as the root: also right after kairos-agent gave that image the other slot's name. */
function runningSystem(host: Host): OperatingSystem {
  const root = mountAt(host, '/');
  const device = root && devicePath(host, root.device);
  return (device && operatingSystemIn(host, device)) || operatingSystemByRelease(host);
}

/** Per slot: undefined where there is no image, null where it cannot be read. */
type SlotImages = Readonly<Record<UsualSlot, OperatingSystem | null | undefined>>;

function slotImages(host: Host, folder: string): SlotImages {
  const image = (slot: UsualSlot) => {
    const path = `${folder}/cOS/${slot}.img`;
    if (host.stat(path)?.kind !== 'file') return undefined;
    return operatingSystemIn(host, path) ?? null;
  };
  return { active: image('active'), passive: image('passive') };
}

function otherSlot(slot: Observation['slot'], images: SlotImages | undefined): Observation['other'] {
  if (slot !== 'active' && slot !== 'passive') return null;
  const other = slot === 'active' ? 'passive' : 'active';
  const found = images === undefined ? null : images[other];
  return found === undefined ? null : { slot: other, os: found?.os ?? null };
}

function installedSystems(images: SlotImages | undefined): Observation['installed'] {
  const found = images && [images.active, images.passive].filter((image) => image !== undefined);
  if (!found || found.length === 0 || found.includes(null)) return null;
  return found.flatMap((image) => (image ? [image.os] : []));
}
