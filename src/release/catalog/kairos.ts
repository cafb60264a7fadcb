import { z } from 'zod';
import { compareVersions } from '../../node/kubernetes/version-order.ts';
import { jsonOrUndefined } from '../../support/json.ts';
import type { Catalog, CatalogRelease } from './types.ts';

/**
 * `releases.json` as Kairos' agent reads it, from `extensions.catalogs` of a cloud-config or `sysext install --catalog`, in agents newer
 * than Kairos 4.3.0 (sdk/extensions/catalog.go of github.com/kairos-io/kairos; https://kairos.io/docs). It asks for `name`, `latest`, `tags[].tag` and
 * `tags[].sysext.<arch>.oci` by digest, and ignores the rest.
 *
 * `name@1.36` is read as a constraint of Masterminds' semver, which takes the highest version and of equal ones the first, and does not
 * count what follows a plus: so newer rebuilds stand first. There is no way to say that a version is yanked but leaving it out.
 */
export interface KairosCatalog {
  readonly repo: string;
  readonly layers: readonly KairosLayer[];
}

export interface KairosLayer {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly latest: string;
  readonly tags: readonly {
    readonly tag: string;
    readonly sysext: Readonly<Record<string, { readonly oci: string }>>;
  }[];
}

/** What is asked for by name in Kairos: the extension's own name for k3s, `NAME-k0s` for another distribution of the same extension. */
export function layerName({ name, distribution }: Pick<CatalogRelease, 'name' | 'distribution'>): string {
  return distribution === 'k3s' || name.endsWith(distribution) ? name : `${name}-${distribution}`;
}

/** The releases that Kairos can install: pushed to a registry, not yanked. */
export function kairosCatalog(catalog: Catalog): KairosCatalog {
  const layers = new Map<string, CatalogRelease[]>();
  for (const release of catalog.releases) {
    if (release.yanked !== undefined || release.images.every(({ oci }) => oci === undefined)) continue;
    const name = layerName(release);
    layers.set(name, [...(layers.get(name) ?? []), release]);
  }
  return {
    repo: catalog.title,
    layers: [...layers].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, releases]) => layer(name, releases)),
  };
}

/** The text of the file. */
export function kairosText(catalog: Catalog): string {
  return `${JSON.stringify(kairosCatalog(catalog), null, 2)}\n`;
}

const MIRRORED = ', mirrored in ';

/**
 * The text of the file for a registry that mirrors releases: it names that repository (HOST/REPOSITORY) and lists nothing that is not there.
 * `artifacts` are the digests ("sha256:...") of the artifacts in the raw form, by the SHA-256 of the image that each holds. The title says
 * that this is not the catalog's own file.
 */
export function mirroredKairosText(
  catalog: Catalog,
  repository: string,
  artifacts: ReadonlyMap<string, string>,
): string {
  const releases = catalog.releases.map((release) => ({
    ...release,
    images: release.images.map(({ oci: _, ...image }) => {
      const digest = artifacts.get(image.sha256);
      return digest === undefined ? image : { ...image, oci: `${repository}@${digest}` };
    }),
  }));
  return kairosText({ ...catalog, title: `${catalog.title}${MIRRORED}${repository}`, releases });
}

const readText = z.object({
  repo: z.string(),
  layers: z.array(
    z.object({
      name: z.string(),
      tags: z.array(
        z.object({ tag: z.string(), sysext: z.record(z.string(), z.object({ oci: z.string() })) }),
      ),
    }),
  ),
});

/** HOST/REPOSITORY of the mirror that a `releases.json` was written for; undefined where it is not what such a mirror of this catalog has. */
export function kairosMirror(text: string, catalog: Catalog): string | undefined {
  const parsed = readText.safeParse(jsonOrUndefined(text)).data;
  const own = `${catalog.title}${MIRRORED}`;
  if (parsed === undefined || !parsed.repo.startsWith(own)) return undefined;
  const repository = parsed.repo.slice(own.length);
  const artifacts = new Map<string, string>();
  for (const release of catalog.releases) {
    const tags = parsed.layers.find(({ name }) => name === layerName(release))?.tags ?? [];
    const { sysext = {} } = tags.find(({ tag }) => tag === release.version) ?? {};
    for (const { architecture, sha256 } of release.images) {
      const [place, digest = ''] = (sysext[architecture]?.oci ?? '').split('@');
      if (place === repository) artifacts.set(sha256, digest);
    }
  }
  return mirroredKairosText(catalog, repository, artifacts) === text ? repository : undefined;
}

function layer(name: string, releases: readonly CatalogRelease[]): KairosLayer {
  const sorted = [...releases].sort((a, b) => compareVersions(b.version, a.version));
  // A release candidate is never what a request without a version gets, unless there is nothing else.
  const latest = sorted.find(({ version }) => !/^v?[\d.]+-/.test(version)) ?? sorted[0];
  const { distribution = '', standin = false } = latest ?? {};
  return {
    name,
    title: `Kubernetes (${distribution})`,
    description: standin
      ? 'Test equipment: stand-ins for Kubernetes on a Kairos core node'
      : `Kubernetes (${distribution}) for a Kairos core node`,
    latest: latest?.version ?? '',
    tags: sorted.map(({ version, images }) => ({
      tag: version,
      sysext: Object.fromEntries(
        images.flatMap(({ architecture, oci }) => (oci === undefined ? [] : [[architecture, { oci }]])),
      ),
    })),
  };
}
