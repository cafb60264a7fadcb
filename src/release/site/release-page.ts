import { bytesText } from '../../support/progress.ts';
import { registryBlob } from '../../support/registry/blob-address.ts';
import { isAddress } from '../address.ts';
import type { ImageContents } from '../catalog/contents.ts';
import { layerName } from '../catalog/kairos.ts';
import type { Catalog, CatalogDocument, CatalogImage, CatalogRelease } from '../catalog/types.ts';
import { activationSection } from './activation-section.ts';
import type { Changes } from './changes.ts';
import { changesSection } from './changes-section.ts';
import { contentsSection } from './contents-section.ts';
import { html, type Markup } from './html.ts';
import { page } from './layout.ts';
import { isSigned, minorOf, pageName } from './words.ts';

export interface ReleasePage {
  readonly catalog: Catalog;
  readonly signed: boolean;
  readonly release: CatalogRelease;
  /** What each image holds, in the release's order. */
  readonly contents: readonly ImageContents[];
  readonly changes: Changes | undefined;
  /** A newer release of the same minor version, where there is one. */
  readonly newer: CatalogRelease | undefined;
  /** Address that the catalog is served from, a folder; undefined where it is not known. */
  readonly served: string | undefined;
}

/** Everything about one release, and the file that brings it to a node. */
export function releasePage(about: ReleasePage): string {
  const { catalog, release, signed } = about;
  return page({
    title: `${release.version} - ${catalog.title}`,
    description: `Kubernetes ${release.version} (${release.distribution}) as a verified system extension for Kairos core nodes.`,
    root: '../',
    script: 'release.js',
    catalog: { ...catalog, signed },
    heading: html`<p class="crumb"><a href="../index.html">All releases</a></p>
<div class="lead"><h1>Kubernetes <span class="version">${release.version}</span></h1>
<p>${release.distribution}, Kubernetes ${minorOf(release)}, for Kairos core nodes as the extension <code>${release.name}</code>. Added ${release.date}.</p></div>
${banners(about)}`,
    body: html`${useSection(about)}${imagesSection(release)}${documentsSection(release)}${changesSection(about.changes)}${componentsSection(about)}${contentsSection(release, about.contents)}${needsSection(release)}`,
  });
}

function banners({ release, newer }: ReleasePage): Markup {
  const { yanked, standin } = release;
  return html`${yanked && html`<p class="banner bad"><strong>Yanked.</strong> ${yanked.why} <span class="quiet">(${yanked.date})</span></p>`}${standin && html`<p class="banner warn"><strong>Test equipment.</strong> Stand-ins take the place of parts that only exist as release downloads; not for use.</p>`}${newer && html`<p class="banner"><a href="${pageName(newer)}">${newer.version}</a> is newer.</p>`}`;
}

function useSection(about: ReleasePage): Markup {
  const { catalog, release, served, newer } = about;
  if (release.yanked !== undefined) {
    return html`<section aria-labelledby="use"><h2 id="use">Use it</h2>
<p>Better not: nobody should install it any more, and <code>sextant-node</code> never chooses it.${newer && html` Take <a href="${pageName(newer)}">${newer.version}</a>.`} A node that runs it goes on.</p>
</section>
`;
  }
  const pushed = release.images.some(({ oci }) => oci !== undefined);
  const catalogs = served === undefined ? '../releases.json' : `${served}/releases.json`;
  const [minor, layer] = [minorOf(release), layerName(release)];
  return html`<section aria-labelledby="use"><h2 id="use">Use it</h2>
${activationSection(catalog, release)}
<div class="ways">
<div><h3>On a node that has sextant-node</h3>
<p>The node fetches, verifies, tries, and goes back by itself when it does not become healthy.</p>
${copyable(`sextant-node upgrade --to ${release.version}`)}</div>
${
  pushed && release.yanked === undefined
    ? html`<div><h3>By name, in Kairos</h3>
<p>Agents newer than Kairos 4.3.0 resolve the name in this catalog${served === undefined && html` (put the address of <a href="${catalogs}">releases.json</a> there)`}.</p>
${copyable(`extensions:\n  catalogs:\n    - ${served === undefined ? 'https://.../releases.json' : catalogs}\ninstall:\n  extensions:\n    - ${layer}@${minor}`)}</div>`
    : undefined
}
</div></section>
`;
}

/** Text to be taken as it is; the page's script adds a button. */
export function copyable(text: string, label = 'Copy'): Markup {
  return html`<div class="copy" data-label="${label}"><pre tabindex="0"><code>${text}</code></pre></div>`;
}

/** A file of the release, as a link where its address says where it is: in a registry only what has a digest. */
function fileLink({ address }: CatalogRelease, name: string, sha256: string | undefined): Markup {
  const place = isAddress(address)
    ? `${address}/${encodeURIComponent(name)}`
    : registryBlob(address, sha256 ?? '');
  return place === undefined || (sha256 === undefined && !isAddress(address))
    ? html`<code>${name}</code>`
    : html`<a href="${place}">${name}</a>`;
}

function imagesSection(release: CatalogRelease): Markup {
  const link = (name: string, sha256?: string) => fileLink(release, name, sha256);
  const also = [link('release.json', release.description), link('SHA256SUMS'), link(release.activation)];
  return html`<section aria-labelledby="images"><h2 id="images">Images</h2>
<div class="images">${release.images.map((image) => imageFacts(image, link))}</div>
<p>Beside them at <span class="break">${release.address}</span>: ${also.map((each, index) => html`${index > 0 && ', '}${each}`)}.</p>
</section>
`;
}

const FORMATS: Readonly<Record<CatalogDocument['format'], string>> = {
  spdx: 'bill of materials, SPDX 2.3 (JSON)',
  cyclonedx: 'bill of materials, CycloneDX 1.6 (JSON)',
  slsa: 'provenance, SLSA v1 (in-toto)',
};

/** What is said of the release for machines; nothing where the catalog does not know it. */
function documentsSection(release: CatalogRelease): Markup | undefined {
  const { documents = [] } = release;
  if (documents.length === 0) return undefined;
  return html`<section aria-labelledby="documents"><h2 id="documents">Bills of materials and provenance</h2>
<table><thead><tr><th scope="col">File<th scope="col">Format<th scope="col">Of<th scope="col">Size</tr></thead><tbody>
${documents.map(
  ({ format, architecture, file, size, sha256 }) =>
    html`<tr><th scope="row" class="break">${fileLink(release, file, sha256)}<td>${FORMATS[format]}<td>${architecture ?? 'the release'}<td>${bytesText(size)}
`,
)}</tbody></table>
<p><code>sextant verify</code> holds all of them against the images.</p>
</section>
`;
}

function imageFacts(image: CatalogImage, link: (name: string, sha256: string) => Markup): Markup {
  const { architecture, file, size, sha256, rootHash, signature, oci } = image;
  return html`<div class="card"><h3>${architecture} <span class="quiet">${bytesText(size)}</span></h3>
<dl><dt>File<dd class="break">${link(file, sha256)}
<dt>SHA-256<dd>${hash(sha256)}
<dt>Root hash<dd>${hash(rootHash)}
<dt>Signature<dd>${signature === undefined ? 'none' : html`by certificate ${hash(signature.certificate)}${signature.subject !== undefined && html` <span class="quiet">${signature.subject.replaceAll('\n', ', ')}</span>`}`}
${
  oci !== undefined &&
  html`<dt>OCI<dd>${hash(oci)}
`
}</dl></div>
`;
}

function hash(text: string): Markup {
  return html`<code class="hash" data-copy>${text}</code>`;
}

function componentsSection({ release, changes }: ReleasePage): Markup {
  return html`<section aria-labelledby="components"><h2 id="components">Components</h2>
<table><thead><tr><th scope="col">Component<th scope="col">Version<th scope="col" class="roomy">From<th scope="col" class="roomy">Licence</tr></thead><tbody>
${release.components.map(({ name, version, type, standin, license }) => {
  const change = changes?.versions.find((one) => one.name === name);
  const before = change?.before === undefined || change.after === undefined ? undefined : change.before;
  return html`<tr><th scope="row">${name}${standin && html` <span class="tag warn">stand-in</span>`}<td>${version}${before !== undefined && html` <span class="quiet">was ${before}</span>`}<td class="roomy">${type}<td class="roomy">${license ?? '-'}
`;
})}</tbody></table></section>
`;
}

function needsSection(release: CatalogRelease): Markup {
  const { kubernetes, requires } = release;
  return html`<section aria-labelledby="needs"><h2 id="needs">What it needs and stands beside</h2>
<dl class="needs"><dt>Node<dd>a Kairos core image, ${requires.kairos} or newer, with systemd ${requires.systemd} or newer
<dt>Upgrade from<dd>a server of Kubernetes ${kubernetes.follows.join(' or ')}
<dt>Agents<dd>of an API server of ${kubernetes.apiServers.join(', ')}
<dt>Signed<dd>${isSigned(release) ? 'every image; the strict policy can be used' : 'no; the root hash in the activation file holds every byte all the same'}
</dl></section>
`;
}
