import type { Lock, LockedBlob } from '../../lock/types.ts';
import { ARCHITECTURES } from '../../support/architecture.ts';
import type { LockChange } from './types.ts';

/** Every file that a lock pins, by digest. */
export function lockedBlobs(lock: Lock): ReadonlyMap<string, LockedBlob> {
  const found = new Map<string, LockedBlob>();
  const add = (blobs: readonly LockedBlob[]) => {
    for (const blob of blobs) found.set(blob.sha256, blob);
  };
  for (const architecture of ARCHITECTURES) {
    const held = lock.architectures[architecture];
    for (const { inputs } of held?.components ?? []) add(inputs);
    add(held?.hookDownloads ?? []);
    for (const tool of [lock.tools.erofs, lock.tools.qemu, lock.tools.hookRoot]) {
      add(tool[architecture]?.inputs ?? []);
    }
  }
  return found;
}

/** What a new lock has other than the one before it; without one everything is new. Pure. */
export function lockChange(before: Lock | undefined, after: Lock): LockChange {
  const [old, now] = [
    before === undefined ? new Map<string, LockedBlob>() : lockedBlobs(before),
    lockedBlobs(after),
  ];
  const [a, b] = [before === undefined ? new Map<string, string>() : versions(before), versions(after)];
  const names = [...new Set([...a.keys(), ...b.keys()])];
  return {
    versions: names
      .map((name) => ({ name, before: a.get(name) ?? '', after: b.get(name) ?? '' }))
      .filter((change) => change.before !== change.after),
    added: sum([...now].filter(([sha256]) => !old.has(sha256)).map(([, blob]) => blob)),
    removed: sum([...old].filter(([sha256]) => !now.has(sha256)).map(([, blob]) => blob)),
  };
}

function versions(lock: Lock): Map<string, string> {
  const found = new Map<string, Set<string>>([
    [lock.distribution.name, new Set([lock.distribution.version])],
  ]);
  for (const held of Object.values(lock.architectures)) {
    for (const { name, version, detail } of held.components) {
      // Two names for one thing (a distribution that is a component, too) are told once, by the component.
      const key = name === lock.distribution.name ? `component ${name}` : name;
      const manifest = detail?.manifest;
      const text = typeof manifest === 'string' ? `${version} ${manifest.slice(0, 19)}` : version;
      found.set(key, (found.get(key) ?? new Set()).add(text));
    }
  }
  if (lock.tools.go !== undefined) found.set('Go', new Set([lock.tools.go.version]));
  return new Map([...found].map(([name, texts]) => [name, [...texts].join(', ')]));
}

function sum(blobs: readonly LockedBlob[]): { files: number; bytes: number } {
  return { files: blobs.length, bytes: blobs.reduce((bytes, { size }) => bytes + size, 0) };
}
