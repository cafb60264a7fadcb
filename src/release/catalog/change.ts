import { X509Certificate } from 'node:crypto';
import { compareVersions } from '../../node/kubernetes/version-order.ts';
import { minor } from '../../node/model/datastore.ts';
import type { Architecture } from '../../support/architecture.ts';
import { SextantError } from '../../support/errors.ts';
import type { DescribedRelease } from './describe.ts';
import type { Catalog, CatalogRelease } from './types.ts';

/** systemd that knows EXTENSION_RELOAD_MANAGER= and image policies (NEWS of v254 and v255). */
export const OLDEST_SYSTEMD = 255;
/** kairos-agent with `sysext` and its folders for both slots. */
export const OLDEST_KAIROS = 'v3.5.0';

export interface Addition {
  readonly described: DescribedRelease;
  /** Where nodes find the release: an address, or one relative to the catalog's. */
  readonly address: string;
  /** References by digest of the artifacts that Kairos installs. */
  readonly oci: Readonly<Partial<Record<Architecture, string>>>;
  readonly kairos?: string;
  readonly systemd?: number;
  /** Replace a release of the same version. */
  readonly replace?: boolean;
}

/** A catalog that nothing is in yet. */
export function emptyCatalog(title: string): Catalog {
  return { schemaVersion: 1, title, serial: 0, certificates: {}, releases: [] };
}

/**
 * The next catalog, with releases added; the same one, unchanged, when it has them already. A release whose version is there with other
 * bytes is an `input` error unless it is to be replaced: nodes may run what it was.
 */
export function withReleases(catalog: Catalog, additions: readonly Addition[], today: string): Catalog {
  const serial = catalog.serial + 1;
  const certificates = { ...catalog.certificates };
  let releases = [...catalog.releases];
  for (const addition of additions) {
    const fresh = catalogRelease(addition, serial, today, certificates);
    const there = releases.find((release) => isSame(release, fresh));
    if (there !== undefined && there.description !== fresh.description && !addition.replace) {
      throw new SextantError(
        'input',
        `${fresh.name} ${fresh.version}: the catalog has another build of it already`,
        {
          hint: 'give the new build a new version; or --replace, if no node can have the old one',
        },
      );
    }
    const entry = there?.description === fresh.description ? continued(there, fresh) : fresh;
    releases = [...releases.filter((release) => !isSame(release, entry)), entry];
  }
  releases.sort((a, b) => compareVersions(b.version, a.version) || (a.name < b.name ? -1 : 1));
  if (JSON.stringify([releases, certificates]) === JSON.stringify([catalog.releases, catalog.certificates]))
    return catalog;
  return { ...catalog, serial, certificates, releases };
}

/** The next catalog, with a release marked as yanked, or with that mark taken back (`why` undefined). */
export function withYanked(
  catalog: Catalog,
  wanted: CatalogRelease,
  why: string | undefined,
  today: string,
): Catalog {
  if (wanted.yanked?.why === why) return catalog;
  const serial = catalog.serial + 1;
  const { yanked: _, ...rest } = wanted;
  const changed: CatalogRelease =
    why === undefined ? rest : { ...rest, yanked: { why, date: today, since: serial } };
  return {
    ...catalog,
    serial,
    releases: catalog.releases.map((release) => (release === wanted ? changed : release)),
  };
}

/** The one release of a version, the leading `v` left out or not. Throws `input` for none, and for several without `name`. */
export function oneRelease(catalog: Catalog, version: string, name?: string): CatalogRelease {
  const plain = (text: string) => text.replace(/^v/, '');
  const found = catalog.releases.filter(
    (release) => plain(release.version) === plain(version) && (name === undefined || release.name === name),
  );
  const [first, second] = found;
  if (first === undefined) {
    const near = catalog.releases.map((release) => release.version).slice(0, 3);
    throw new SextantError('input', `${version}: the catalog has no such release`, {
      hint:
        near.length === 0
          ? 'it has none yet: `sextant catalog add`'
          : `the newest are ${near.join(', ')}; \`sextant catalog show\` lists all`,
    });
  }
  if (second !== undefined) {
    throw new SextantError(
      'usage',
      `${version}: is a release of ${found.map((release) => release.name).join(' and of ')}`,
      { hint: `say which: --name ${first.name}` },
    );
  }
  return first;
}

function isSame(left: CatalogRelease, right: CatalogRelease): boolean {
  return left.name === right.name && left.version === right.version;
}

/** The same build again: when it came stays, what was said of it too, and its artifacts where no others are named now. */
function continued(there: CatalogRelease, fresh: CatalogRelease): CatalogRelease {
  const images = fresh.images.map((image) => {
    const oci = image.oci ?? there.images.find(({ sha256 }) => sha256 === image.sha256)?.oci;
    const { contents, signature, oci: _, ...rest } = image;
    return {
      ...rest,
      ...(oci === undefined ? {} : { oci }),
      ...(signature === undefined ? {} : { signature }),
      contents,
    };
  });
  const { yanked, date, since } = there;
  return { ...fresh, date, since, images, ...(yanked === undefined ? {} : { yanked }) };
}

function catalogRelease(
  { described, address, oci, kairos = OLDEST_KAIROS, systemd = OLDEST_SYSTEMD }: Addition,
  serial: number,
  today: string,
  certificates: Record<string, string>,
): CatalogRelease {
  const { release, description, contentsNames, documents } = described;
  if (minor(release.version) < 0) {
    throw new SextantError('input', `${release.version}: is no Kubernetes version`, {
      hint: 'a catalog holds releases of Kubernetes, such as v1.36.3+k3s1',
    });
  }
  const trust = described.certificates.map((pem) => {
    const fingerprint = new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase();
    certificates[fingerprint] = pem;
    return fingerprint;
  });
  return {
    name: release.name,
    version: release.version,
    distribution: release.distribution,
    standin: release.standin,
    address,
    description,
    date: today,
    since: serial,
    kubernetes: skew(release.version),
    requires: { systemd, kairos },
    images: release.images.map((image, index) => {
      const reference = oci[image.architecture];
      return {
        architecture: image.architecture,
        file: image.file,
        size: image.size,
        sha256: image.sha256,
        rootHash: image.rootHash,
        ...(reference === undefined ? {} : { oci: reference }),
        ...(image.signature === undefined
          ? {}
          : {
              signature: {
                certificate: image.signature.certificateFingerprint,
                ...(image.signature.subject === undefined ? {} : { subject: image.signature.subject }),
              },
            }),
        contents: contentsNames[index] ?? '',
      };
    }),
    documents,
    trust,
    components: (release.images[0]?.components ?? []).map(({ name, version, type, standin, license }) => ({
      name,
      version,
      type,
      standin,
      ...(license === undefined ? {} : { license }),
    })),
    activation: release.activation,
  };
}

/**
 * What Kubernetes lets this version stand beside: a server goes one minor version at a time, a kubelet may be up to three older than its
 * API server and never newer. https://kubernetes.io/releases/version-skew-policy/
 */
function skew(version: string): CatalogRelease['kubernetes'] {
  const own = minor(version);
  const text = (number: number) => `${Math.floor(number / 1000)}.${number % 1000}`;
  return {
    version: version.replace(/\+.*$/, ''),
    follows: (own % 1000 === 0 ? [own] : [own - 1, own]).map(text),
    apiServers: [own, own + 1, own + 2, own + 3].map(text),
  };
}
