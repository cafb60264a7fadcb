import { compareVersions, isPrerelease } from '../../node/kubernetes/version-order.ts';
import { bytesText } from '../../support/progress.ts';
import type { Catalog, CatalogRelease } from '../catalog/types.ts';
import { html, type Markup } from './html.ts';
import { page } from './layout.ts';
import { architectures, isSigned, minorOf, pageName } from './words.ts';

/** The page with every release: what is newest, then all of them by minor version, with what finds one. */
export function indexPage(catalog: Catalog, signed: boolean): string {
  const { title, releases } = catalog;
  return page({
    title: `${title}: Kubernetes for Kairos nodes`,
    description: `${releases.length} releases of Kubernetes as verified system extensions for Kairos core nodes.`,
    root: '',
    script: 'index.js',
    catalog: { ...catalog, signed },
    heading: html`<div class="lead"><h1>Kubernetes for Kairos nodes</h1>
<p>Each release is one verified system extension: take an unmodified Kairos core node, give it one file, and it runs Kubernetes.</p></div>`,
    body: html`${newest(releases)}
<section aria-labelledby="all"><h2 id="all">All releases</h2>
${releases.length === 0 ? html`<p>The catalog has no releases yet.</p>` : html`${filter(releases)}${table(releases)}`}
</section>`,
  });
}

function newest(releases: readonly CatalogRelease[]): Markup | undefined {
  const usable = releases.filter(({ yanked, version }) => yanked === undefined && !isPrerelease(version));
  const first = [
    ...new Map(
      [...usable].reverse().map((release) => [`${release.name} ${release.distribution}`, release]),
    ).values(),
  ];
  if (first.length === 0) return undefined;
  first.sort((a, b) => compareVersions(b.version, a.version));
  return html`<section aria-labelledby="newest"><h2 id="newest">Newest</h2><ul class="cards">
${first.slice(0, 4).map(
  (release) => html`<li class="card"><h3><a href="releases/${pageName(release)}">${release.version}</a></h3>
<p class="quiet">${release.distribution} · ${architectures(release)} · ${size(release)}</p>
<p>${release.standin ? html`<span class="tag warn">stand-ins: for tests</span>` : html`<span class="tag good">Kubernetes ${minorOf(release)}</span>`} ${isSigned(release) && html`<span class="tag">signed</span>`} <span class="quiet">${release.date}</span></p></li>
`,
)}</ul></section>
`;
}

function filter(releases: readonly CatalogRelease[]): Markup {
  const options = (values: readonly string[]) => values.map((value) => html`<option>${value}</option>`);
  const unique = (values: readonly string[]) => [...new Set(values)];
  return html`<form class="filter needs-script" role="search" aria-label="Find a release">
<label class="find"><span>Search</span><input type="search" name="q" placeholder="1.36, k0s, a reason ..." autocomplete="off" spellcheck="false"></label>
<label><span>Distribution</span><select name="distribution"><option value="">any</option>${options(unique(releases.map(({ distribution }) => distribution)).sort())}</select></label>
<label><span>Kubernetes</span><select name="minor"><option value="">any</option>${options(unique(releases.map(minorOf)))}</select></label>
<label><span>Architecture</span><select name="architecture"><option value="">any</option>${options(unique(releases.flatMap(({ images }) => images.map(({ architecture }) => architecture))).sort())}</select></label>
<label class="check"><input type="checkbox" name="yanked" checked><span>Show yanked</span></label>
</form>
<p class="count" role="status">${releases.length} ${releases.length === 1 ? 'release' : 'releases'}</p>
`;
}

function table(releases: readonly CatalogRelease[]): Markup {
  const groups = new Map<string, CatalogRelease[]>();
  for (const release of releases)
    groups.set(minorOf(release), [...(groups.get(minorOf(release)) ?? []), release]);
  const several = new Set(releases.map(({ name }) => name)).size > 1;
  return html`<table class="releases"><thead><tr><th scope="col">Version<th scope="col">Distribution<th scope="col" class="roomy">Architectures<th scope="col" class="number">Size<th scope="col" class="roomy">Signed<th scope="col" class="roomy">Added</tr></thead>
${[...groups].map(
  ([minor, group]) => html`<tbody><tr class="group"><th colspan="6" scope="rowgroup">Kubernetes ${minor}</tr>
${group.map(
  (
    release,
  ) => html`<tr${release.yanked !== undefined && html` class="yanked"`}><td><a href="releases/${pageName(release)}">${release.version}</a>${several && html` <span class="quiet">${release.name}</span>`}${note(release)}<td>${release.distribution}<td class="roomy">${architectures(release)}<td class="number">${size(release)}<td class="roomy">${isSigned(release) ? 'yes' : 'no'}<td class="roomy">${release.date}
`,
)}</tbody>
`,
)}</table>
<p class="nothing" hidden>Nothing fits. <button type="button" class="link">Show all releases</button></p>
`;
}

function note({ yanked, standin }: CatalogRelease): Markup | undefined {
  if (yanked !== undefined)
    return html` <span class="tag bad">yanked</span> <span class="why">${yanked.why}</span>`;
  return standin ? html` <span class="tag warn">stand-ins</span>` : undefined;
}

function size({ images }: CatalogRelease): string {
  return bytesText(Math.max(...images.map((image) => image.size)));
}
