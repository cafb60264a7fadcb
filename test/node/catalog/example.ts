import type { ListedRelease } from '../../../src/node/catalog/parse.ts';

/** A release as a catalog lists it; a version of k0s makes it one of k0s. */
export function listed(version: string, more: Partial<ListedRelease> = {}): ListedRelease {
  return {
    name: 'provider-kairos',
    version,
    distribution: version.includes('k0s') ? 'k0s' : 'k3s',
    address: `https://example.org/k8s/${version}`,
    systemd: 255,
    kairos: 'v3.5.0',
    yanked: null,
    images: [
      {
        architecture: 'amd64',
        file: 'image.sysext.raw',
        size: 4096,
        sha256: Buffer.from(version).toString('hex').padEnd(64, '0').slice(0, 64),
        rootHash: 'c'.repeat(64),
        signed: false,
      },
    ],
    ...more,
  };
}

/** The same as the catalog's JSON. */
export function catalogText(serial: number, releases: readonly ListedRelease[]): string {
  return JSON.stringify({
    schemaVersion: 1,
    title: 'Example',
    serial,
    certificates: {},
    releases: releases.map(({ systemd, kairos, yanked, images, ...rest }) => ({
      ...rest,
      requires: { systemd, kairos },
      images: images.map(({ signed, ...image }) => ({ ...image, ...(signed ? { signature: {} } : {}) })),
      ...(yanked === null ? {} : { yanked: { why: yanked, date: '2026-11-27', since: 1 } }),
    })),
  });
}
