import { bytesText } from '../../support/progress.ts';
import type { ImageContents } from '../catalog/contents.ts';
import type { CatalogRelease } from '../catalog/types.ts';
import { html, type Markup } from './html.ts';

/** The largest ones; a page is for reading, the rest is counted. */
const MOST_FILES = 50;

/** What the images hold: by component, and their files side by side. */
export function contentsSection(release: CatalogRelease, contents: readonly ImageContents[]): Markup {
  const images = contents.map(({ entries }, index) => ({
    architecture: release.images[index]?.architecture ?? '',
    entries: entries.filter(({ kind }) => kind !== 'folder'),
  }));
  return html`<section aria-labelledby="contents"><h2 id="contents">Contents</h2>
${contents.slice(0, 1).map(({ entries }) => shares(entries))}
${files(images)}
</section>
`;
}

type Entries = ImageContents['entries'];

/** Size of each component before compression, as a bar. */
function shares(entries: Entries): Markup {
  const sizes = new Map<string, number>();
  for (const { component, size } of entries) sizes.set(component, (sizes.get(component) ?? 0) + size);
  const sorted = [...sizes].sort(([, a], [, b]) => b - a);
  const largest = sorted[0]?.[1] ?? 1;
  return html`<ul class="shares">${sorted.map(
    ([
      component,
      size,
    ]) => html`<li><span>${component === 'hook' ? 'hook (laid down by the provider)' : component}</span><meter min="0" max="100" value="${Math.max(1, Math.round((size / largest) * 100))}" aria-label="${`${component}: ${bytesText(size)} before compression`}"></meter><span class="number">${bytesText(size)}</span>
`,
  )}</ul>`;
}

interface Listed {
  readonly architecture: string;
  readonly entries: Entries;
}

function files(images: readonly Listed[]): Markup {
  const byPath = images.map(({ entries }) => new Map(entries.map((entry) => [entry.path, entry])));
  const size = (path: string) => Math.max(...byPath.map((known) => known.get(path)?.size ?? 0));
  const paths = [...new Set(byPath.flatMap((known) => [...known.keys()]))];
  paths.sort((a, b) => size(b) - size(a) || (a < b ? -1 : 1));
  const shown = paths.slice(0, MOST_FILES);
  const totals = images.map(({ architecture, entries }) => {
    const total = entries.reduce((sum, entry) => sum + entry.size, 0);
    return `${bytesText(total)} for ${architecture}`;
  });
  return html`<details><summary>${paths.length} files, ${totals.join(', ')}, before compression</summary>
<table class="paths sizes"><thead><tr><th scope="col">File<th scope="col">Component${images.map(({ architecture }) => html`<th scope="col">${architecture}`)}</tr></thead><tbody>
${shown.map((path) => {
  const found = byPath.map((known) => known.get(path));
  const [first] = found.filter((entry) => entry !== undefined);
  return html`<tr><td>${path}${first?.target !== undefined && ` → ${first.target}`}<td>${first?.component ?? ''}${found.map((entry) => html`<td>${entry === undefined ? '-' : entry.target === undefined ? bytesText(entry.size) : 'link'}`)}
`;
})}</tbody></table>${paths.length > shown.length && html`<p class="quiet">and ${paths.length - shown.length} smaller ones; <code>sextant inspect --files</code> lists all.</p>`}</details>
`;
}
